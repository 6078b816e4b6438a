/**
 * Says what of the table of Cohere's models has gone stale: `npm run check:models [-- URL…]`, with other pages than AWS's
 * own. Exit code 0: nothing; 1: something; 3: nothing by its dates, but a page could not be read.
 */
import { COHERE_MODELS, LIFE_CYCLE_PAGES, lifeInWords } from '../src/integrations/cohere/models.ts';
import { staleByDates, staleByPage } from './stale-models.ts';

const PAGE_TIMEOUT_MS = 20_000;
const now = new Date();
const say = (line: string): void => void process.stdout.write(`${line}\n`);

for (const { id } of COHERE_MODELS) say(`${id}: ${lifeInWords(id, now)}`);
const stale = staleByDates(COHERE_MODELS, now);
let unread = 0;
const pages = process.argv.length > 2 ? process.argv.slice(2) : LIFE_CYCLE_PAGES;
for (const page of pages) {
  try {
    const answer = await fetch(page, { signal: AbortSignal.timeout(PAGE_TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    stale.push(...staleByPage(COHERE_MODELS, await answer.text()));
  } catch (error) {
    unread += 1;
    const reason =
      error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : error;
    say(`\nNOT COMPARED: ${page} could not be read (${reason}). The dates above are those of the table alone.`);
  }
}
say(stale.length === 0 ? '\nNothing is stale by what could be read.' : `\nStale:\n${stale.join('\n')}`);
const sources = [...new Set(COHERE_MODELS.map(({ source }) => source))];
say(`\nThe table is src/integrations/cohere/models.ts; its sources:\n${sources.join('\n')}`);
process.exitCode = stale.length > 0 ? 1 : unread > 0 ? 3 : 0;
