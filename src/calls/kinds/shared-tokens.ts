/**
 * One count shared out by the lengths of texts, in whole tokens that add up exactly: each gets its part rounded down,
 * and what is left goes to those that lost most by it. Lengths are in bytes: a character of Chinese takes about as many tokens
 * as a few Latin letters.
 */
export function shareTokens(total: number, texts: readonly string[]): readonly number[] {
  const lengths = texts.map((text) => Math.max(1, Buffer.byteLength(text)));
  const whole = lengths.reduce((sum, length) => sum + length, 0);
  const exact = lengths.map((length) => (total * length) / whole);
  const shares = exact.map(Math.floor);
  const left = total - shares.reduce((sum, share) => sum + share, 0);
  const byLoss = exact.map((part, index) => ({ index, loss: part - Math.floor(part) })).sort((a, b) => b.loss - a.loss);
  for (const { index } of byLoss.slice(0, left)) shares[index] = (shares[index] ?? 0) + 1;
  return shares;
}
