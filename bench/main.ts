/** `npm run bench [NAME…]`: measurements on real servers, each printing one JSON line last. Not part of the tests. */
import { endAllChildren } from '../devservers/processes.ts';
import { benchCatalog } from './catalog.ts';
import { benchEngine } from './engine.ts';

const PROGRAMS: Readonly<Record<string, () => Promise<unknown>>> = { catalog: benchCatalog, engine: benchEngine };

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !Object.hasOwn(PROGRAMS, name));
  if (unknown.length > 0) {
    process.stderr.write(`${unknown.join(', ')}: not one of ${Object.keys(PROGRAMS).join(', ')}\n`);
    return 2;
  }
  for (const name of names.length > 0 ? names : Object.keys(PROGRAMS)) {
    const figures = await PROGRAMS[name]?.();
    process.stdout.write(`${JSON.stringify({ bench: name, node: process.version, ...(figures as object) })}\n`);
  }
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await endAllChildren();
}
