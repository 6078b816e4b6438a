import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { staleByDates, staleByPage } from '../../scripts/stale-models.ts';
import { COHERE_MODELS, findModel } from '../../src/integrations/cohere/models.ts';

const row = (id: string) => {
  const model = findModel(id);
  if (model === undefined) throw new Error(id);
  return model;
};
const EMBED = { ...row('cohere.embed-v4:0'), checkedOn: '2026-11-01' };
const ENDING = { ...EMBED, endOfLife: '2027-01-01', alternative: 'cohere.embed-english-v3' };

describe('what is stale by its dates', () => {
  it.each([
    ['nothing within 30 days', EMBED, '2026-12-01', []],
    ['a row that nobody compared since', EMBED, '2026-12-02', ['not compared for 31 days (checkedOn 2026-11-01)']],
    ['an end within 90 days', ENDING, '2026-11-20', ['ends in 42 days, on 2027-01-01']],
    ['no end that is further away, or past', { ...ENDING, endOfLife: '2026-11-20' }, '2026-11-20', []],
    [
      'an alternative that has ended',
      { ...ENDING, endOfLife: '2026-01-01', alternative: 'cohere.command-r-v1:0' },
      '2026-11-20',
      ['its alternative cohere.command-r-v1:0 is itself ended'],
    ],
  ])('is %s', (_, model, day, expected) => {
    const lines = staleByDates([model], new Date(`${day}T12:00:00Z`));
    expect(lines).toEqual(expected.map((words) => expect.stringContaining(`cohere.embed-v4:0: ${words}`)));
  });
});

const htmlRow = (...cells: string[]) => `<tr class="x">${cells.map((cell) => `<td><p>${cell}</p></td>`).join('')}</tr>`;

describe('what is stale by a page of AWS', () => {
  it('is nothing where the page has the dates of the table, in any of its forms, or does not have the model', () => {
    for (const date of ['August 19, 2026', '2026-08-19', '8/19/2026']) {
      const page = `<table>${htmlRow('Command R', '<code>cohere.command-r-v1:0</code>', 'February 19, 2026', date)}</table>`;
      expect(staleByPage(COHERE_MODELS, page)).toEqual([]);
    }
    expect(staleByPage(COHERE_MODELS, '<table></table>')).toEqual([]);
    expect(staleByPage(COHERE_MODELS, '| Command R | cohere.command-r-v1:0 | August 19, 2026 |')).toEqual([]);
  });

  it('is an end that the table does not have, and another date than its', () => {
    const page = htmlRow('Embed 4', 'cohere.embed-v4:0', 'June 1, 2027') + htmlRow('cohere.command-r-v1:0', '9/1/2026');
    expect(staleByPage(COHERE_MODELS, page)).toEqual([
      'cohere.command-r-v1:0: endOfLife is 2026-08-19, and the page says: cohere.command-r-v1:0 9/1/2026',
      'cohere.embed-v4:0: has no endOfLife, and the page says: Embed 4 cohere.embed-v4:0 June 1, 2027',
    ]);
  });

  it('is nothing about a model whose id only begins alike', () => {
    expect(staleByPage([EMBED], htmlRow('cohere.embed-v4:01', 'us.cohere.embed-v4:0', 'June 1, 2027'))).toEqual([]);
  });
});

describe('npm run check:models', () => {
  /** A process of its own, without waiting for it in this one: the page's server is here. */
  const run = (...pages: string[]) =>
    new Promise<{ code: number | null; said: string }>((resolve) => {
      const child = spawn(process.execPath, ['scripts/check-models.ts', ...pages], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      child.stdout.on('data', (chunk) => {
        said += chunk;
      });
      child.on('close', (code) => resolve({ code, said }));
    });

  it('reads pages, lists every model and its source, and says plainly what it could not read', async () => {
    const server = createServer((_, answer) => answer.end(htmlRow('cohere.rerank-v3-5:0', 'June 1, 2027')));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const page = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const read = await run(page);
    await new Promise((closed) => server.close(closed));
    expect(read.code).toBe(1);
    expect(read.said).toContain('cohere.rerank-v3-5:0: has no endOfLife');
    for (const { id, source } of COHERE_MODELS) {
      expect(read.said).toContain(`${id}: `);
      expect(read.said).toContain(source);
    }
    const unread = await run(page);
    expect(unread.said).toContain(`NOT COMPARED: ${page} could not be read`);
    expect(unread.code).not.toBe(0);
  });
});
