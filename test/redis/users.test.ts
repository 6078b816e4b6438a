import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { aclRules, redisUser, USER_ROLES, type UserRole } from '../../src/redis/users.ts';

const PLACE = { prefix: 'cohere:', cluster: false };
const granted = (role: UserRole) => redisUser(role, PLACE).commands;

/** Every command that a script asks of Redis, by the file that the script stands in. */
const scripts = new Map(
  globSync('src/**/*.ts')
    .map((file) => {
      const source = readFileSync(file, 'utf8');
      const calls = source.matchAll(/^(?!.*CLIENT).*redis\.p?call\('([A-Z]+)'/gm);
      return [file, new Set(Array.from(calls, ([, command = '']) => command.toLowerCase()))] as const;
    })
    .filter(([, commands]) => commands.size > 0),
);

/** The least of those who run the scripts of a file. */
function runBy(file: string): UserRole[] {
  if (file.startsWith('src/cluster/')) return ['worker'];
  if (file.startsWith('src/telemetry/')) return ['worker', 'admin'];
  return file === 'src/redis/commit.ts' ? ['admin', 'operator'] : ['admin'];
}

describe('what a script asks of Redis', () => {
  it.each([...scripts])('in %s, the user that runs it may', (file, commands) => {
    for (const role of runBy(file)) {
      for (const command of commands) expect(granted(role), `${file}: ${command}`).toContain(command);
    }
  });

  it('is found', () => {
    expect(scripts.size).toBeGreaterThan(8);
  });
});

describe('a user of Redis', () => {
  it.each(USER_ROLES)('%s is given nothing twice, and no category', (role) => {
    const rules = aclRules(redisUser(role, PLACE));
    expect(new Set(rules).size).toBe(rules.length);
    expect(rules.filter((rule) => /^\+@|^(allkeys|allchannels|allcommands|nopass)$|^~\*$|^&\*$/.test(rule))).toEqual(
      [],
    );
  });

  it('may as an admin run what an operator may, and as that what a viewer may', () => {
    expect(granted('admin')).toEqual(expect.arrayContaining([...granted('operator')]));
    expect(granted('operator')).toEqual(expect.arrayContaining([...granted('viewer')]));
  });

  it('as a worker reads every hash of records and each of their families, and writes under run alone', () => {
    const { keys } = redisUser('worker', PLACE);
    expect(keys.filter((key) => !key.startsWith('%R~'))).toEqual(['~cohere:run:*']);
    expect(keys.some((key) => /admin|audit/.test(key))).toBe(false);
  });
});
