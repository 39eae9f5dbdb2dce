/** Which assistant was chosen, as the page's address remembers it: `?assistant=coach`. */

const NAME = 'assistant';

/** The assistant that the address names, or null. */
export function chosenInAddress(): string | null {
  return new URLSearchParams(location.search).get(NAME) || null;
}

/** Lets the address name this assistant, or none; no step in the history. */
export function writeIntoAddress(assistant: string | null): void {
  const address = new URL(location.href);
  if (assistant === (address.searchParams.get(NAME) || null)) return;
  if (assistant === null) address.searchParams.delete(NAME);
  else address.searchParams.set(NAME, assistant);
  history.replaceState(history.state, '', address);
}
