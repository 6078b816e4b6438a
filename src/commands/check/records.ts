import { modelDefaults } from '../../calls/inputs/defaults.ts';
import { createIdleRoles } from '../../catalog/idle-roles.ts';
import {
  describeRecord,
  type RecordReference,
  recordOfMember,
  recordOfSubject,
  recordOfTarget,
} from '../../catalog/references.ts';
import { ROLE_HOLDERS, roleWorld } from '../../catalog/role-world.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { familyOf, lifeOf, lifeWarning, regionWarning } from '../../integrations/cohere/models.ts';
import type { Integration } from '../../integrations/integration.ts';
import { splitQualified } from '../../integrations/names.ts';
import { sealedFaults } from '../../integrations/secrets/sealed.ts';
import { OPENED_BY, SECRET_FIELDS } from '../../integrations/secrets/secret-fields.ts';
import { parseSubjectId } from '../../rbac/subject.ts';
import { FREQUENCIES, type LimitFields } from '../../record-fields.ts';
import type { KeyNames } from '../../redis/keys.ts';
import type { Keyring } from '../../secrets/keyring.ts';
import { type SecretHash, secretHashes } from '../secrets/secret-hashes.ts';
import { faultOfDefaults, modelOf } from './defaults.ts';
import type { Finding } from './finding.ts';
import { promptFindings } from './prompts.ts';

/** Everything that the records themselves show. `keyring`: the keys that sealed secrets should open with. */
export function checkRecords(
  snapshot: Snapshot,
  names: KeyNames,
  { now, keyring }: { readonly now: Date; readonly keyring: Keyring },
): Finding[] {
  return [
    ...[...snapshot.faults()].map((fault): Finding => ({ severity: 'error', ...fault })),
    ...integrations(snapshot, names, keyring),
    ...models(snapshot, names, now),
    ...limits(snapshot, names),
    ...promptFindings(snapshot, names),
    ...memberships(snapshot, names),
    ...grants(snapshot, names),
    ...roles(snapshot, names),
  ];
}

function* integrations(snapshot: Snapshot, names: KeyNames, keyring: Keyring): Iterable<Finding> {
  const key = names.hash('integrations');
  if (snapshot.empty)
    yield { severity: 'error', key, field: '', message: 'there is no integration: workers take no tasks' };
  const { integrations: hash } = secretHashes(names);
  for (const [field, { raw, lookup }] of snapshot.parts.tables.integrations) {
    yield* bareSecrets(hash, field, raw);
    if (lookup.kind !== 'found') continue;
    yield* sealedSecrets(key, field, lookup.record, keyring);
    yield* foreignRole(key, field, lookup.record);
  }
}

/** Also of a record that has another fault: workers refuse it, and whoever reads Redis reads the secret all the same. */
function* bareSecrets({ key, secretsOf }: SecretHash, field: string, raw: string): Iterable<Finding> {
  for (const { place, form } of secretsOf(field, raw) ?? []) {
    if (form !== 'bare') continue;
    const message = `${place.field} stands in Redis as it is; seal it with bedrock-cohere secrets rotate, or write env:NAME or file:NAME in its place`;
    yield { severity: 'warning', key, field, message };
  }
}

function* sealedSecrets(key: string, field: string, integration: Integration, keyring: Keyring): Iterable<Finding> {
  const { configuration, enabled } = integration;
  for (const secret of SECRET_FIELDS) {
    const isOpened = enabled && OPENED_BY[configuration.connectionType].includes(secret);
    for (const { message } of sealedFaults(field, configuration, [secret], keyring)) {
      yield { severity: isOpened ? 'error' : 'warning', key, field, message };
    }
  }
}

function* foreignRole(key: string, field: string, { configuration }: Integration): Iterable<Finding> {
  const { connectionType, externalId, roleArn, awsAccountId } = configuration;
  const account = roleArn?.split(':')[4];
  const foreign = awsAccountId === undefined || awsAccountId === null || awsAccountId !== account;
  if (connectionType === 'EXTERNAL_ROLE' && !externalId && foreign) {
    yield {
      severity: 'warning',
      key,
      field,
      message:
        'configuration.externalId is missing: a role in another account should ask for one (the confused deputy)',
    };
  }
}

function* models(snapshot: Snapshot, names: KeyNames, now: Date): Iterable<Finding> {
  const key = names.hash('models');
  for (const [field, { lookup }] of snapshot.parts.tables.models) {
    const parts = splitQualified(field);
    if (parts === undefined || lookup.kind !== 'found') continue;
    if (snapshot.integration(parts.integration).kind === 'absent') {
      yield { severity: 'warning', key, field, message: `the integration ${parts.integration} does not exist` };
    }
    const { cache, modelId = parts.model, family } = lookup.record.configuration;
    if (cache !== undefined && familyOf({ name: parts.model, modelId, family }) === 'rerank') {
      const message = 'configuration.cache does nothing: only embeddings and completions are kept, no rankings';
      yield { severity: 'warning', key, field, message };
    }
    const resolved = modelOf(snapshot, field);
    const unfit = resolved && faultOfDefaults(resolved, [modelDefaults(resolved)]);
    if (unfit !== undefined) {
      const message = `tasks fail where they do not give it themselves: ${unfit.message}`;
      yield { severity: 'warning', key, field, message };
    }
    const integration = snapshot.integration(parts.integration);
    const region = integration.kind === 'found' ? integration.record.configuration.region : undefined;
    const ending = lifeWarning(lifeOf(modelId, now, region));
    if (ending !== undefined) yield { severity: 'warning', key, field, message: ending };
    const unreachable = region === undefined ? undefined : regionWarning(modelId, region);
    if (unreachable !== undefined) yield { severity: 'warning', key, field, message: unreachable };
  }
}

const LIMITED = ['integrations', 'models', 'groups', 'applications', 'users'] as const;

/** Token limits that are none, or that let nothing run. */
function* limits(snapshot: Snapshot, names: KeyNames): Iterable<Finding> {
  for (const kind of LIMITED) {
    for (const [field, { lookup }] of snapshot.parts.tables[kind]) {
      if (lookup.kind !== 'found') continue;
      const message = limitFault(lookup.record);
      if (message !== undefined) yield { severity: 'warning', key: names.hash(kind), field, message };
    }
  }
}

function limitFault({ maxTokens, frequency }: LimitFields): string | undefined {
  if (maxTokens == null && frequency == null) return undefined;
  if (frequency == null) return `maxTokens limits nothing without frequency: ${FREQUENCIES.join(', ')}`;
  if (maxTokens == null) return 'frequency limits nothing without maxTokens';
  return maxTokens === 0 ? 'maxTokens is 0: it lets nothing run' : undefined;
}

function* memberships(snapshot: Snapshot, names: KeyNames): Iterable<Finding> {
  for (const [group, members] of snapshot.parts.members) {
    const key = names.members(group);
    if (snapshot.lookup('groups', group).kind === 'absent') {
      yield {
        severity: 'warning',
        key,
        field: '',
        message: `the group ${group} has no record: its members gain nothing`,
      };
    }
    for (const member of members) {
      if (isMissing(snapshot, recordOfMember(member))) {
        yield { severity: 'warning', key, field: member, message: 'the application has no record' };
      }
    }
  }
}

function* grants(snapshot: Snapshot, names: KeyNames): Iterable<Finding> {
  let before: string | undefined;
  for (const { subject, target } of snapshot.grantTexts()) {
    const key = names.grants(subject);
    const holder = subject === before ? undefined : missingHolder(snapshot, subject);
    before = subject;
    if (holder !== undefined) yield { severity: 'warning', key, field: '', message: holder };
    const missing = missingTarget(snapshot, target);
    if (missing !== undefined) yield { severity: 'warning', key, field: target, message: missing };
  }
}

/** Roles that give nothing to whoever has them, and grants to roles that nobody has: a slip of the hand. */
function* roles(snapshot: Snapshot, names: KeyNames): Iterable<Finding> {
  const idle = createIdleRoles(roleWorld(snapshot));
  for (const kind of ROLE_HOLDERS) {
    for (const [field, { lookup }] of snapshot.parts.tables[kind]) {
      if (lookup.kind !== 'found') continue;
      for (const role of lookup.record.roles) {
        const why = idle.held(role);
        if (why !== undefined) yield { severity: 'warning', key: names.hash(kind), field, message: `roles: ${why}` };
      }
    }
  }
  for (const id of snapshot.parts.grants.keys()) {
    const subject = parseSubjectId(id);
    const why = subject?.type === 'ROLE' ? idle.granted(subject.id) : undefined;
    if (why !== undefined) yield { severity: 'warning', key: names.grants(id), field: '', message: why };
  }
}

function missingHolder(snapshot: Snapshot, id: string): string | undefined {
  if (parseSubjectId(id) === undefined) return 'the key names no subject: USER:id, GROUP:id or ROLE:id';
  const holder = recordOfSubject(id);
  if (holder === undefined || !isMissing(snapshot, holder)) return undefined;
  return `${describeRecord(holder)} has no record: it grants nothing`;
}

function missingTarget(snapshot: Snapshot, target: string): string | undefined {
  const named = recordOfTarget(target);
  return named !== undefined && isMissing(snapshot, named) ? `nothing of that name in ${named.kind}` : undefined;
}

function isMissing(snapshot: Snapshot, record: RecordReference | undefined): boolean {
  return record !== undefined && snapshot.lookup(record.kind, record.name).kind === 'absent';
}
