"""Scripted players: yardsticks for the fights, and rivals for what is learnt.

They look at the whole fight, not at observations. Each is a function of the environment, the rows
that still play and a random generator, and gives actions (n, N).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envs.batched import Array
from envs.skirmish.env import SkirmishBatch
from envs.skirmish.layout import ATTACK, MOVE, NORTH_SOUTH_EAST_WEST, STOP
from envs.skirmish.maps import MAPS
from envs.skirmish.units import DAMAGE, TABLE

Policy = Callable[[SkirmishBatch, Array, np.random.Generator], Array]
FAR = 1e6
PATIENCE = 20  # steps to wait for the enemy before going to look for it
MELEE = 1.0  # weapons that reach less far are for hand to hand
ESCAPE, TO_THE_MIDDLE = 2.5, 0.01  # cells looked ahead in fleeing; dislike of the map's edge
SAFE = 2.5  # cells beyond the enemy's reach that who kites keeps away
SPARE = 8  # more attackers on one target than should be enough
RELIEF = 0.15  # how much stronger, of full strength, whoever takes over must be
WEAK, AS_STRONG = 0.375, 0.0625  # shares of full strength, before an enemy that is rooted
AT_POST = 0.5  # cells from its post at which an agent is there
AT_HAND = 0.5  # cells beyond the weapon's reach at which who holds a post strikes
FRONT, FRONT_RADIUS, FRONT_ANGLE = 3, 1.2, 0.75  # agents of the first arc, and its measures
REAR_RADIUS = 2.2


def random(env: SkirmishBatch, rows: Array, rng: np.random.Generator) -> Array:
    """Anything that is available."""
    avail = env.avail[rows]
    return (avail * rng.random(avail.shape)).argmax(axis=2)


def nearest(env: SkirmishBatch, rows: Array, rng: np.random.Generator) -> Array:
    """Stand, and attack whoever is nearest."""
    view = View(env, rows)
    return view.fight_or_seek(view.distance)


def focus(env: SkirmishBatch, rows: Array, rng: np.random.Generator) -> Array:
    """Stand, and all attack the weakest enemy that can be reached without walking far."""
    view = View(env, rows)
    return view.fight_or_seek(view.weakness())


def kite(env: SkirmishBatch, rows: Array, rng: np.random.Generator) -> Array:
    """Shoot the weakest, keep away from who fights hand to hand, and let the hurt step back."""
    view = View(env, rows)
    return view.step_back(view.fight_or_seek(view.weakness()))


def choke(env: SkirmishBatch, rows: Array, rng: np.random.Generator) -> Array:
    """Fill the map's narrow passage, and fight there whoever comes to its mouth."""
    post = MAPS[env.scenario.name].choke
    if post is None:
        return focus(env, rows, rng)
    view = View(env, rows)
    return view.hold(*np.array(post, np.float32))


POLICIES: dict[str, Policy] = {
    "random": random,
    "nearest": nearest,
    "focus": focus,
    "kite": kite,
    "choke": choke,
}


def arcs(mouth: Array, inward: Array, count: int) -> Array:
    """(2, count) posts in two arcs around a mouth: the first few close to it, the rest behind."""
    heading = np.arctan2(inward[1], inward[0])
    rear = max(count - FRONT, 1)
    angles = [
        *np.linspace(-FRONT_ANGLE, FRONT_ANGLE, FRONT),
        *np.linspace(-FRONT_ANGLE, FRONT_ANGLE, rear),
    ][:count]
    radii = ([FRONT_RADIUS] * FRONT + [REAR_RADIUS] * rear)[:count]
    angle = heading + np.array(angles)
    around = np.stack([np.cos(angle), np.sin(angle)]) * np.array(radii)
    return (mouth[:, None] + around).astype(np.float32)


class View:
    """One situation, with what the players need to know of it. All (n, N, M) or (n, N)."""

    def __init__(self, env: SkirmishBatch, rows: Array) -> None:
        self.env, self.rows = env, rows
        self.f = f = env.fights if len(rows) == env.n_envs else env.fights.take(rows)
        N = self.N = f.n_agents
        self.avail = env.avail[rows]
        length = np.float32(env.settings.move_amount / 2)
        ahead = f.place[:, :, :N, None] + (NORTH_SOUTH_EAST_WEST * length)[:, None, None]
        # Just inside the edge SMAC allows a step out of the map, which leads nowhere.
        self.moves = (self.avail[:, :, MOVE:ATTACK] > 0) & (ahead >= 0).all(axis=0)
        self.offset = f.place[:, :, None, N:] - f.place[:, :, :N, None]  # (2, n, N, M)
        alive = f.alive[:, None, N:]
        self.distance = np.where(alive, np.hypot(*self.offset), FAR)
        self.healer = TABLE["heals"][f.kind[:, :N]] > 0

    def weakness(self) -> Array:
        """Life left, plus what a walk into reach costs; hand to hand only the way counts."""
        f, N = self.f, self.N
        strength = (f.health + f.shield)[:, None, N:]
        reach = (f.reach + f.radius)[:, :N, None] + f.radius[:, None, N:]
        walk = np.maximum(self.distance - reach, 0)
        # In a crowd, everybody on one target would be too many: the nearest come first.
        rank = self.distance.argsort(axis=1).argsort(axis=1)
        shots = strength / np.maximum(DAMAGE[f.kind[:, :N, None], f.kind[:, None, N:]], 1)
        cost = (
            strength + 25 * walk + N * self.distance + np.where(rank >= shots + SPARE, FAR / 2, 0)
        )
        return np.where(f.reach[:, :N, None] < MELEE, self.distance, cost)

    def fight_or_seek(self, cost: Array) -> Array:
        """The cheapest target in reach; without one, the nearest once a team mate has one."""
        N, M = self.N, self.f.n_units - self.N
        shots = self.avail[:, :, ATTACK : ATTACK + M] > 0
        shots &= ~self.healer[:, :, None]
        cost = np.where(shots & self._harms(), cost, FAR)
        best = cost.argmin(axis=2)
        attacking = cost.min(axis=2) < FAR
        begun = attacking.any(axis=1) | (self.env.t[self.rows] >= PATIENCE)
        near = self.distance.argmin(axis=2)
        goal = np.take_along_axis(self.f.place[:, :, N:], near[None], axis=2)
        action = np.where(begun[:, None], self.walk(goal), self.stop())
        return self._heal(np.where(attacking, ATTACK + best, action))

    def _harms(self) -> Array:
        """(n, N, M) whether the agent's weapon can hit that enemy at all."""
        f, N = self.f, self.N
        grounded = TABLE["flies"][f.kind[:, None, N:]] == 0
        return grounded | (TABLE["hits_air"][f.kind[:, :N, None]] > 0)

    def _heal(self, actions: Array) -> Array:
        """Healers treat who needs it most, and keep to their team."""
        if not self.healer.any():
            return actions
        f, N = self.f, self.N
        need = (f.life - f.health)[:, None, :N] * self.avail[:, :, ATTACK : ATTACK + N]
        others = (f.alive[:, :N] & ~self.healer)[..., None]
        place = np.moveaxis(f.place[:, :, :N], 0, -1)
        middle = (place * others).sum(axis=1) / np.maximum(others.sum(axis=1), 1)  # (n, 2)
        goal = np.broadcast_to(middle.T[:, :, None], (2, len(self.rows), N))
        treating = np.where(need.max(axis=2) > 0, ATTACK + need.argmax(axis=2), self.walk(goal))
        return np.where(self.healer & f.alive[:, :N], treating, actions)

    def step_back(self, actions: Array) -> Array:
        """Walk away from enemies that fight hand to hand while the weapon recovers.

        Who cannot outrun them does so all the time, as long as a team mate is free to shoot.
        """
        f, N = self.f, self.N
        reach = (f.reach + f.radius)[:, None, N:] + f.radius[:, :N, None]
        melee = (f.reach[:, None, N:] < MELEE) & (f.reach[:, :N, None] >= MELEE)
        close = (self.distance < reach + SAFE) & melee
        waiting = f.cooldown[:, :N] > self.env.settings.step_mul / 2
        chased = close.any(axis=2)
        mine = f.alive[:, :N]
        covered = (mine & ~chased).any(axis=1)[:, None]
        slow = (close & (f.speed[:, :N, None] <= f.speed[:, None, N:])).any(axis=2)
        flee = chased & (waiting | (slow & covered)) & mine
        actions = np.where(flee, self._escape(melee & (self.distance < FAR)), actions)
        actions = np.where(self._relieved() & ~flee, self._escape(self.distance < FAR), actions)
        return np.where(self._resting(), self._away(), actions)

    def _relieved(self) -> Array:
        """(n, N) weakened agents that are shot at while a team mate could take it better."""
        strength = self._strength()
        stronger = strength.max(axis=1, keepdims=True) > strength + RELIEF
        return self._aimed_at(rooted=False) & stronger & (strength < 0.5)

    def _resting(self) -> Array:
        """(n, N) weak agents whose weapon recovers, and that have a team mate about as strong.

        Before an enemy that cannot follow, stepping out of its reach then costs few shots.
        """
        f, N = self.f, self.N
        strength = self._strength()
        others = f.alive[:, None, :N] & ~np.eye(N, dtype=bool)
        backed = (others & (strength[:, None] > strength[:, :, None] - AS_STRONG)).any(axis=2)
        waiting = f.cooldown[:, :N] > self.env.settings.step_mul / 2
        return self._aimed_at(rooted=True) & backed & waiting & (strength < WEAK)

    def _strength(self) -> Array:
        """(n, N) life and shields left, as a share of all."""
        f = self.f
        return ((f.health + f.shield) / (f.life + f.shield_max))[:, : self.N]

    def _aimed_at(self, rooted: bool) -> Array:
        """(n, N) who can shoot, and is a target of enemies that are rooted, or that can walk."""
        f, N = self.f, self.N
        enemies = (f.speed[:, None, N:] == 0) == rooted
        aimed_at = (f.target[:, None, N:] == np.arange(N)[:, None]) & enemies  # (n, N, M)
        return aimed_at.any(axis=2) & (f.reach[:, :N] >= MELEE) & f.alive[:, :N]

    def _away(self) -> Array:
        """Straight away from the nearest enemy."""
        near = self.distance.argmin(axis=2)[None, :, :, None]
        offset = np.take_along_axis(self.offset, near, axis=3)[..., 0]  # (2, n, N)
        return self.walk(self.f.place[:, :, : self.N] - offset)

    def _escape(self, dangerous: Array) -> Array:
        """The free direction that leads farthest from the dangerous enemies (n, N, M)."""
        f, N = self.f, self.N
        step = NORTH_SOUTH_EAST_WEST * np.float32(ESCAPE)
        after = f.place[:, :, :N, None] + step[:, None, None]  # (2, n, N, 4)
        offset = f.place[:, :, None, None, N:] - after[..., None]  # (2, n, N, 4, M)
        near = 1 / np.maximum(np.hypot(*offset), 0.1) ** 2
        threat = (near * dangerous[:, :, None]).sum(axis=3)
        middle = self.env.scenario.terrain.middle
        threat += TO_THE_MIDDLE * np.hypot(*(after - middle[:, None, None, None]))
        threat = np.where(self.moves, threat, FAR)
        return np.where(threat.min(axis=2) < FAR, MOVE + threat.argmin(axis=2), self.stop())

    def hold(self, mouth: Array, inward: Array) -> Array:
        """Stand in two arcs around the passage's mouth, and strike only who comes within reach.

        The posts are filled in order by those who live, so that gaps in the front close.
        """
        f, N = self.f, self.N
        alive = f.alive[:, :N]
        place_in_line = np.where(alive, alive.cumsum(axis=1) - 1, 0)
        goal = arcs(mouth, inward, N).take(place_in_line, axis=1)  # (2, n, N)
        away = np.hypot(*(goal - f.place[:, :, :N]))
        reach = (f.reach + f.radius)[:, :N, None] + f.radius[:, None, N:]
        at_hand = (self.distance < reach + AT_HAND).any(axis=2)
        fighting = self.fight_or_seek(self.distance)
        waiting = np.where(away < AT_POST, self.stop(), self.walk(goal))
        return np.where(at_hand, fighting, waiting)

    def stop(self) -> Array:
        """Stop, for those who live; the dead do nothing."""
        return np.where(self.f.alive[:, : self.N], STOP, 0)

    def walk(self, goal: Array) -> Array:
        """The free direction (or to stay) that leads best to `goal` (2, n, N), around walls."""
        f, N = self.f, self.N
        here, terrain = f.place[:, :, :N], self.env.scenario.terrain
        if not terrain.convex:
            goal = terrain.detour(here, np.clip(goal, 0, 31.99))[0]
        way = goal - here
        gain = np.einsum("cd,cna->nad", NORTH_SOUTH_EAST_WEST, way)
        gain = np.where(self.moves, gain, -FAR)
        best = np.where(gain.max(axis=2) > 0, MOVE + gain.argmax(axis=2), STOP)
        return np.where(f.alive[:, :N], best, 0)


def play(env: SkirmishBatch, policy: Policy, seeds: Array) -> tuple[Array, Array]:
    """One episode in every row: whether it was won (B,), and its return (B,)."""
    rows = np.arange(env.n_envs)
    won, returns = np.zeros(env.n_envs, bool), np.zeros(env.n_envs)
    rng = np.random.default_rng(int(seeds[0]))
    env.reset(rows, seeds)
    while len(rows):
        step = env.step(rows, policy(env, rows, rng))
        returns[rows] += step.reward
        won[rows] = [info["battle_won"] for info in step.infos]
        rows = rows[~step.ended]
    return won, returns
