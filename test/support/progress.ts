/** Says on stderr that something starts, and how long it took: a run that waits for a server should not look stuck. */
export async function started<Value>(name: string, start: (say: (line: string) => void) => Promise<Value>) {
  const begin = performance.now();
  const say = (line: string) => process.stderr.write(`  ${name}: ${line}\n`);
  const value = await start(say);
  say(`ready in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  return value;
}
