import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/telemetry/log.ts';

function logging(level: string) {
  const lines: string[] = [];
  return { log: createLog(level, { write: (line) => void lines.push(line) }), lines };
}

describe('the log', () => {
  it('is a JSON object a line, with the level as a word and the time in UTC, and nothing of the machine', () => {
    const { log, lines } = logging('info');
    log.info({ integration: 'prod' }, 'said');
    expect(lines.length).toBe(1);
    expect(lines[0]).toMatch(/\}\n$/);
    const line = JSON.parse(lines[0] ?? '');
    expect(Object.keys(line).sort()).toEqual(['integration', 'level', 'msg', 'time']);
    expect(line).toMatchObject({ level: 'info', msg: 'said', integration: 'prod' });
    expect(new Date(line.time).toISOString()).toBe(line.time);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = logging('warn');
    log.info('no');
    log.warn('yes');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['yes']);
  });

  it.each(['accessToken', 'api_key', 'externalId', 'keySecret', 'secretAccessKey', 'sessionToken'])(
    'masks %s at the top and one deeper, also of a child',
    (name) => {
      const { log, lines } = logging('info');
      log.info({ [name]: 'hunter2', configuration: { [name]: 'hunter2' } }, 'x');
      log.child({ worker: 'w' }).info({ input: { [name]: 'hunter2' } }, 'x');
      expect(lines.join('')).not.toContain('hunter2');
      expect(JSON.parse(lines[0] ?? '')).toMatchObject({ [name]: '********', configuration: { [name]: '********' } });
    },
  );
});
