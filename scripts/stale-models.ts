/** What of the table of Cohere's models may have gone out of date: by its own dates, and by AWS's pages. */
import { type CohereModel, lifeOf } from '../src/integrations/cohere/models.ts';

const DAY_MS = 86_400_000;
/** A row that nobody compared with AWS's pages for longer than this is stale. */
const CHECKED_WITHIN_DAYS = 30;
/** How long before its end a model is worth a line. */
const ENDS_WITHIN_DAYS = 90;

/** One line each: rows not compared for 30 days, ends that come within 90, and alternatives that live no more. */
export function staleByDates(models: readonly CohereModel[], now: Date): string[] {
  return models.flatMap(({ id, checkedOn, endOfLife, alternative, source }) => {
    const unchecked = Math.floor((now.getTime() - Date.parse(checkedOn)) / DAY_MS);
    const remaining = endOfLife === undefined ? undefined : Math.ceil((Date.parse(endOfLife) - now.getTime()) / DAY_MS);
    const lines: string[] = [];
    if (unchecked > CHECKED_WITHIN_DAYS) {
      lines.push(`${id}: not compared for ${unchecked} days (checkedOn ${checkedOn}); see ${source}`);
    }
    if (remaining !== undefined && remaining > 0 && remaining <= ENDS_WITHIN_DAYS) {
      lines.push(`${id}: ends in ${remaining} days, on ${endOfLife}`);
    }
    if (alternative !== undefined && ['legacy', 'ended'].includes(lifeOf(alternative, now).state)) {
      lines.push(`${id}: its alternative ${alternative} is itself ${lifeOf(alternative, now).state}`);
    }
    return lines;
  });
}

/** One line for each row of a life-cycle page of AWS's that says something else of a model than the table does. */
export function staleByPage(models: readonly CohereModel[], page: string): string[] {
  const rows = page.includes('<tr') ? page.split(/<tr\b/i).slice(1) : page.split('\n');
  return models.flatMap(({ id, endOfLife }) =>
    rows.map(plain).flatMap((row) => {
      if (!isAbout(row, id)) return [];
      const dates = datesIn(row);
      if (endOfLife === undefined) return [`${id}: has no endOfLife, and the page says: ${row.slice(0, 300)}`];
      return dates.length === 0 || dates.includes(endOfLife)
        ? []
        : [`${id}: endOfLife is ${endOfLife}, and the page says: ${row.slice(0, 300)}`];
    }),
  );
}

function plain(row: string): string {
  return row
    .slice(row.startsWith('|') ? 0 : row.indexOf('>') + 1)
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** The whole id, not the beginning of another. */
function isAbout(row: string, id: string): boolean {
  const at = row.indexOf(id);
  return at >= 0 && !/[\w.:-]/.test(row.charAt(at - 1)) && !/[\w-]/.test(row.charAt(at + id.length));
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DATE = new RegExp(
  `(\\d{4})-(\\d\\d)-(\\d\\d)|(${MONTHS.join('|')}) (\\d{1,2}), (\\d{4})|(\\d{1,2})/(\\d{1,2})/(\\d{4})`,
  'g',
);

/** Dates as AWS's pages write them: `2026-08-19`, `August 19, 2026`, `8/19/2026`. */
function datesIn(text: string): string[] {
  return Array.from(text.matchAll(DATE), ([, y, m, d, name, day, year, usMonth, usDay, usYear]) => {
    if (y !== undefined) return `${y}-${m}-${d}`;
    if (name !== undefined) return isoDate(year, String(MONTHS.indexOf(name) + 1), day);
    return isoDate(usYear, usMonth, usDay);
  });
}

function isoDate(year = '', month = '', day = ''): string {
  return `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
}
