import { loadSnapshot } from '../catalog/load.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { Config } from '../config.ts';
import { ServiceError } from '../errors.ts';
import { lifeInWords } from '../integrations/cohere/models.ts';
import { splitQualified } from '../integrations/names.ts';
import { createLog } from '../telemetry/log.ts';
import { visible } from '../visible.ts';
import type { Finding } from './check/finding.ts';
import { checkKeys } from './check/keys.ts';
import { longestWait } from './check/longest-wait.ts';
import { checkRecords } from './check/records.ts';
import { checkRedisUser } from './check/redis-user.ts';
import { plural, type Terminal } from './terminal.ts';
import { type Variables, withRedis } from './with-redis.ts';

/** `check`, of the Redis that the environment names and, unless offline, of Conductor and AWS. */
export async function check({
  offline,
  terminal,
  variables,
}: {
  readonly offline: boolean;
  readonly terminal: Terminal;
  readonly variables: Variables;
}): Promise<number> {
  const checked = withRedis(variables, async ({ redis, names, config }) => {
    const snapshot = await loadSnapshot(redis, names);
    const secrets = { variables, ...config.secrets };
    const [{ checkConductor }, { checkCredentials, checkRedis }, { createConductorSession }] = await Promise.all([
      import('./check/conductor.ts'),
      import('./check/surroundings.ts'),
      import('../workers/conductor/session.ts'),
    ]);
    const log = createLog('silent');
    const session = createConductorSession({ ...config.conductor, log });
    const outside = offline
      ? []
      : await Promise.all([
          checkRedis(redis),
          checkConductor(session.metadata, config.tasks.served, config.conductor.apiUrl, longestWait(snapshot)),
          checkCredentials({ snapshot, names, secrets, log }),
        ]);
    session.close();
    sayLives(snapshot, terminal);
    return reportFindings(
      [
        ...checkMode(config),
        ...checkRedisUser(config.redis.url),
        ...checkRecords(snapshot, names, { now: new Date(), keyring: secrets.keyring }),
        ...(await checkKeys({ redis, snapshot, names, keyring: secrets.keyring })),
        ...outside.flat(),
      ],
      terminal,
    );
  });
  return await checked.catch((error: unknown) => {
    if (!terminal.json || !(error instanceof ServiceError) || error.code !== 'UNREACHABLE') throw error;
    terminal.warn(`bedrock-cohere: ${error.message}`);
    const finding: Finding = { severity: 'error', key: 'redis', field: '', message: error.message, unreachable: true };
    return reportFindings([finding], terminal);
  });
}

function checkMode({ access: { mode } }: Config): Finding[] {
  if (mode === 'enforce') return [];
  const message = `is ${mode}: tasks run whatever the grants say`;
  return [{ severity: 'warning', key: 'environment', field: 'RBAC_MODE', message }];
}

/** The state at Bedrock of every model that the table knows; what has ended or will end is a finding, too. */
function sayLives(snapshot: Snapshot, terminal: Terminal): void {
  for (const [field, { lookup }] of snapshot.parts.tables.models) {
    if (lookup.kind !== 'found') continue;
    const id = lookup.record.configuration.modelId ?? splitQualified(field)?.model ?? field;
    const state = lifeInWords(id, new Date());
    if (state !== undefined) terminal.say(terminal.faint(visible(`model    ${field}: ${state}`)));
  }
}

/** Says what was found. 0: clean, 1: findings, 3: something did not answer. */
export function reportFindings(findings: readonly Finding[], terminal: Terminal): number {
  for (const { severity, key, field, message } of findings) {
    const place = field === '' ? key : `${key} ${field}`;
    terminal.say(
      `${severity === 'error' ? terminal.bad('error  ') : terminal.changed('warning')}  ${visible(`${place}: ${message}`)}`,
    );
  }
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  terminal.say(
    findings.length === 0
      ? terminal.good('Nothing found.')
      : `\n${plural(errors, 'error')}, ${plural(findings.length - errors, 'warning')}.`,
  );
  terminal.result({
    findings: findings.map(({ severity, key, field, message }) => ({ severity, key, field, message })),
  });
  if (findings.some(({ unreachable }) => unreachable)) return 3;
  return findings.length === 0 ? 0 : 1;
}
