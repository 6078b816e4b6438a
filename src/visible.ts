/**
 * Text of several lines for a terminal, such as a model's answer: lines and tabs stay, other control characters are shown. A
 * sequence of them could else rewrite what stands there, or what is typed next.
 */
export function printable(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .split(/([\n\t])/)
    .map((part) => (part === '\n' || part === '\t' ? part : visible(part)))
    .join('');
}

/** Names come from Redis and Conductor: their control characters must not move a cursor or begin a line of their own. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, (character) => {
    const code = character.charCodeAt(0);
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });
}
