// Questions to the server.

export class Unanswered extends Error {}

export async function ask(path, words = []) {
  let response;
  try {
    response = await fetch(`api/${path}?${new URLSearchParams(words)}`);
  } catch {
    throw new Unanswered("The server does not answer. Is it still running? Trying again …");
  }
  const answer = await response.json().catch(() => ({ error: `The server said ${response.status}.` }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

export const keys = (runs) => runs.map((run) => ["run", run]);
