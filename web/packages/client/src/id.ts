/** Ids that nobody else has, and that nobody guesses. */

/** So many random bytes as hexadecimal digits; `randomUUID` exists on secure pages only. */
export function randomHex(bytes = 16): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
