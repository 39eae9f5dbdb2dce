/** Opening a web address for the assistant: https only, after the user's consent, in a tab without ties to this page. */

import type { OnConsent, ToolHandler } from './tools.ts';

/** The handler of the built-in `open_page`, which asks `onConsent`. */
export function openAddress(onConsent: OnConsent): ToolHandler {
  return async ({ url }, { signal }) => {
    const address = addressOf(url);
    if (!(await onConsent(address, signal))) throw new Error('The user did not want the page to be opened.');
    if (signal.aborted) throw new Error('The user took too long.');
    // `noopener` hides whether a tab was opened; this is what the browser goes by.
    if (navigator.userActivation?.isActive === false) throw new Error('The browser opens a page only upon a click.');
    window.open(address.href, '_blank', 'noopener,noreferrer');
    return { opened: address.href };
  };
}

/** Throws a sentence unless it is an https address that names nobody before its host. */
function addressOf(url: unknown): URL {
  const address = URL.canParse(String(url)) ? new URL(String(url)) : null;
  if (address?.protocol !== 'https:') throw new Error('Only https addresses are opened.');
  // `https://bank.example@elsewhere.example` looks like what it is not.
  if (address.username || address.password) throw new Error('Addresses with a name or password are not opened.');
  return address;
}
