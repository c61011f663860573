"""Attacks, splash, healing, and what comes back by itself."""

from __future__ import annotations

import numpy as np

from envs.batched import Array
from envs.skirmish.fights import NOISE_SLOTS, Fights
from envs.skirmish.plan import Plan
from envs.skirmish.units import (
    DAMAGE,
    DAMAGE_THROUGH_ARMOUR,
    ENERGY_MAX,
    ENERGY_PER_LIFE,
    ENERGY_PER_LOOP,
    KINDS,
    SHIELD_PAUSE,
    SHIELD_PER_LOOP,
    SPLASHES,
    TABLE,
)

LINE_WIDTH = 0.3  # cells, of splash along a line
SUICIDAL = TABLE["suicide"] > 0
IN_LINE = TABLE["splash_line"] > 0


def attack(f: Fights, plan: Plan, firing: Array, delay: float) -> None:
    """All of `firing` (n, U) attack their targets, at the same time.

    `delay` is how many loops the enemies hesitate before the next attack.
    """
    shooters = np.flatnonzero(firing)
    row, slot = np.divmod(shooters, f.n_units)
    wait = f.period.reshape(-1).take(shooters)
    wait += f.noise[f.rows.take(row), f.loops.take(row) % NOISE_SLOTS, slot]
    if delay:
        wait += delay * (slot >= f.n_agents)
    f.cooldown.reshape(-1)[shooters] = wait
    victims = plan.target.reshape(-1).take(shooters)
    damage = plan.damage.reshape(-1).take(shooters)
    piercing = plan.piercing.reshape(-1).take(shooters)
    if plan.splashing:
        _attack_areas(f, plan, shooters, victims, damage, piercing)
    else:
        _hurt(f, victims, damage, piercing)
    if (plan.alive & (f.health <= 0)).any():
        np.maximum(f.health, 0, out=f.health)
        plan.drop(f)


def _attack_areas(
    f: Fights, plan: Plan, shooters: Array, victims: Array, damage: Array, piercing: Array
) -> None:
    """The same where some attacks hit an area, and some attackers die of theirs."""
    kind = f.kind.reshape(-1).take(shooters)
    splashing = SPLASHES.take(kind)
    single = ~splashing
    area = _splash(f, shooters[splashing], victims[splashing])
    _hurt(
        f,
        np.concatenate([victims[single], area[0]]),
        np.concatenate([damage[single], area[1]]),
        np.concatenate([piercing[single], area[2]]),
    )
    f.health.reshape(-1)[shooters[SUICIDAL.take(kind)]] = 0
    _burst(f, plan, shooters)


def _burst(f: Fights, plan: Plan, shooters: Array) -> None:
    """Who attacks by blowing up does so also when killed, which may kill the next."""
    left = SUICIDAL.take(f.kind) & plan.alive
    left.reshape(-1)[shooters] = False
    while True:
        dying = np.flatnonzero(left & (f.health <= 0))
        if not len(dying):
            return
        left.reshape(-1)[dying] = False
        _hurt(f, *_splash(f, dying, dying))


def _hurt(f: Fights, victims: Array, damage: Array, piercing: Array) -> None:
    """Shields first; what they let through of all attacks of this loop is reduced by armour."""
    size = f.n * f.n_units
    on_shield = np.bincount(victims, damage, minlength=size).reshape(f.n, f.n_units)
    on_life = np.bincount(victims, piercing, minlength=size).reshape(f.n, f.n_units)
    if f.shield.any():
        absorbed = np.minimum(f.shield, on_shield)
        on_life *= (on_shield - absorbed) / np.maximum(on_shield, 1e-9)
        f.shield -= absorbed.astype(np.float32)
    f.health -= on_life.astype(np.float32)
    f.quiet[on_shield > 0] = 0


def _splash(f: Fights, shooters: Array, targets: Array) -> tuple[Array, Array, Array]:
    """(victims, damage, piercing) of attacks on an area: a blast, or a line across the shot."""
    U = f.n_units
    row = shooters // U
    kind = f.kind.reshape(-1)[shooters]
    place = f.place.reshape(2, -1)
    centre = place[:, targets]
    offset = f.place[:, row] - centre[:, :, None]  # (2, shots, U)
    shot = centre - place[:, shooters]
    shot = shot / np.maximum(np.sqrt(shot[0] ** 2 + shot[1] ** 2), 1e-6)
    along = np.abs(offset[0] * shot[0][:, None] + offset[1] * shot[1][:, None])
    across = np.abs(offset[0] * shot[1][:, None] - offset[1] * shot[0][:, None])
    radius = f.radius[row]
    size = TABLE["splash"][kind][:, None] + radius
    in_blast = offset[0] ** 2 + offset[1] ** 2 <= size**2
    in_line = (along <= LINE_WIDTH / 2 + radius) & (across <= size)
    hit = np.where(IN_LINE[kind][:, None], in_line, in_blast)
    agents = np.arange(U) < f.n_agents
    foes = agents != (shooters % U < f.n_agents)[:, None]
    hit &= foes & f.alive[row]
    pair = kind[:, None] * len(KINDS) + f.kind[row]
    shots, slots = np.nonzero(hit)
    victims = row[shots] * U + slots
    return (
        victims,
        DAMAGE.reshape(-1)[pair[shots, slots]],
        DAMAGE_THROUGH_ARMOUR.reshape(-1)[pair[shots, slots]],
    )


def heal(f: Fights, plan: Plan, outside: Array) -> None:
    """One loop of healing by those within reach that have energy left."""
    target = plan.target
    missing = (f.life - f.health).reshape(-1).take(target)
    given = np.minimum(np.minimum(f.healing, missing), f.energy / ENERGY_PER_LIFE)
    given = np.where(outside | (plan.reach < 0), 0, given)
    f.energy -= given * np.float32(ENERGY_PER_LIFE)
    healed = np.bincount(target.reshape(-1), given.reshape(-1), minlength=target.size)
    f.health += healed.reshape(target.shape).astype(np.float32)
    np.minimum(f.health, f.life, out=f.health)


def recover(f: Fights, loops: int) -> None:
    """What comes back in a few loops: shields after a pause, and energy."""
    f.quiet += loops
    alive = f.alive
    resting = alive & (f.quiet > SHIELD_PAUSE)
    back = np.minimum(f.shield + np.float32(SHIELD_PER_LOOP * loops), f.shield_max)
    np.copyto(f.shield, back, where=resting)
    healers = alive & (f.healing > 0)
    more = np.minimum(f.energy + np.float32(ENERGY_PER_LOOP * loops), np.float32(ENERGY_MAX))
    np.copyto(f.energy, more, where=healers)
