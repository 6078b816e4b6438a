import { loadSnapshot } from '../catalog/load.ts';
import type { Lookup } from '../catalog/records.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import { splitQualified } from '../integrations/names.ts';
import { didYouMean } from '../parsing.ts';
import { type Decision, decide, type Target } from '../rbac/decision.ts';
import type { Access } from '../rbac/grants.ts';
import { parseSubject, type Subject, subjectId } from '../rbac/subject.ts';
import type { Tag } from '../record-fields.ts';
import { visible } from '../visible.ts';
import { unknownSubject } from './known-subjects.ts';
import type { Terminal } from './terminal.ts';
import { type Variables, withRedis } from './with-redis.ts';

/** What `can` is asked, as typed. */
export interface CanQuestion {
  readonly subject: string;
  readonly target: string;
  /** Default: what running a task needs. */
  readonly access?: Access | undefined;
}

/** `can`, by the records of the Redis that the environment names. */
export async function can(question: CanQuestion, terminal: Terminal, variables: Variables): Promise<number> {
  // What is typed wrong is said whether or not Redis is there.
  readQuestion(question);
  return await withRedis(variables, async ({ redis, names }) =>
    runCan(await loadSnapshot(redis, names), question, terminal),
  );
}

/** Explains a decision as a worker, or the API, would take it now. 0: allowed, 1: denied. Throws USAGE for malformed words. */
export function runCan(snapshot: Snapshot, question: CanQuestion, terminal: Terminal): number {
  const { access } = question;
  const { subject, target } = readQuestion(question);
  const decision = explain(snapshot, subject, target, access);
  const unknown = unknownSubject(snapshot, subject);
  if (unknown !== undefined) terminal.warn(unknown);
  const who = subjectId(subject);
  const does = access ?? 'use';
  if (decision.kind === 'allow') {
    terminal.say(`${terminal.good('allowed')}  ${visible(`${who} may ${does} ${question.target}`)}`);
    terminal.say(visible(`  via ${decision.via.join(' → ')}`));
  } else {
    terminal.say(`${terminal.bad('denied')}  ${visible(`${who} may not ${does} ${question.target}`)}`);
    terminal.say(visible(`  missing: ${decision.missing}`));
  }
  terminal.result({
    allowed: decision.kind === 'allow',
    subject: who,
    target: question.target,
    via: decision.kind === 'allow' ? decision.via : [],
    missing: decision.kind === 'deny' ? decision.missing : null,
  });
  return decision.kind === 'allow' ? 0 : 1;
}

function readQuestion({ access, ...typed }: CanQuestion): { readonly subject: Subject; readonly target: Asked } {
  const subject = parseSubject(typed.subject);
  if (subject === undefined)
    throw new ServiceError('USAGE', `can: "${typed.subject}" is not USER:x, GROUP:x, ROLE:x, app:x or a user id`);
  const target = parseTarget(typed.target);
  if (target.kind === 'application' && access === undefined)
    throw new ServiceError('USAGE', `can: no task runs on ${typed.target}; say --access READ, UPDATE or DELETE`);
  return { subject, target };
}

type Asked =
  | { readonly kind: 'integration'; readonly integration: string }
  | { readonly kind: 'model'; readonly integration: string; readonly model: string }
  | { readonly kind: 'prompt'; readonly prompt: string }
  | { readonly kind: 'application'; readonly application: string };

function parseTarget(text: string): Asked {
  if (text.startsWith('PROMPT:') && text.length > 'PROMPT:'.length)
    return { kind: 'prompt', prompt: text.slice('PROMPT:'.length) };
  if (text.startsWith('APPLICATION:') && text.length > 'APPLICATION:'.length)
    return { kind: 'application', application: text.slice('APPLICATION:'.length) };
  // As it stands in a grant, too.
  const [, type, id = ''] = /^(INTEGRATION|INTEGRATION_PROVIDER):(.+)$/s.exec(text) ?? [];
  if (type !== undefined) return parseTarget(id);
  const model = splitQualified(text);
  if (model !== undefined) return { kind: 'model', ...model };
  if (/^[A-Za-z0-9][\w.-]*$/.test(text)) return { kind: 'integration', integration: text };
  throw new ServiceError('USAGE', `can: "${text}" is not provider, provider:model, PROMPT:name or APPLICATION:id`);
}

/**
 * The decision, and before it whether there is anything to decide about: a record that is missing or broken stops
 * everything. One that is switched off stops tasks, and can be read and changed, or nobody could switch it on again.
 */
function explain(snapshot: Snapshot, subject: Subject, asked: Asked, access: Access | undefined): Decision {
  const mustBeOn = access === undefined || access === 'EXECUTE';
  const fault = recordFault(snapshot, asked, mustBeOn);
  if (fault !== undefined) return { kind: 'deny', missing: fault };
  return decide(snapshot, subject, withTags(snapshot, asked), access === undefined ? {} : { access: [access] });
}

function withTags(snapshot: Snapshot, asked: Asked): Target {
  switch (asked.kind) {
    case 'prompt':
      return { ...asked, tags: tagsOf(snapshot.prompt(asked.prompt)) };
    case 'application':
      return { ...asked, tags: tagsOf(snapshot.lookup('applications', asked.application)) };
    case 'integration':
      return { ...asked, tags: tagsOf(snapshot.integration(asked.integration)) };
    case 'model': {
      const own = tagsOf(snapshot.model(asked.integration, asked.model));
      return { ...asked, tags: [...own, ...tagsOf(snapshot.integration(asked.integration))] };
    }
  }
}

function tagsOf(found: Lookup<{ readonly tags: readonly Tag[] }>): readonly Tag[] {
  return found.kind === 'found' ? found.record.tags : [];
}

function recordFault(snapshot: Snapshot, asked: Asked, mustBeOn: boolean): string | undefined {
  const faultOf = (kind: RecordKind, name: string, what: string) =>
    faultIn(snapshot.lookup(kind, name), mustBeOn, what, () => didYouMean(name, snapshot.names(kind)));
  switch (asked.kind) {
    case 'prompt':
      return faultOf('prompts', asked.prompt, `the prompt ${asked.prompt}`);
    case 'application':
      return faultOf('applications', asked.application, `the application ${asked.application}`);
    case 'integration':
      return faultOf('integrations', asked.integration, `the integration ${asked.integration}`);
    case 'model': {
      const name = `${asked.integration}:${asked.model}`;
      return (
        faultOf('integrations', asked.integration, `the integration ${asked.integration}`) ??
        faultOf('models', name, `the model ${name}`)
      );
    }
  }
}

type RecordKind = 'integrations' | 'models' | 'prompts' | 'applications';

function faultIn(found: Lookup<object>, mustBeOn: boolean, what: string, hint: () => string): string | undefined {
  switch (found.kind) {
    case 'absent':
      return `${what} does not exist.${hint()}`;
    case 'invalid':
      return `${what} cannot be read: ${found.fault.message}`;
    case 'found':
      return mustBeOn && 'enabled' in found.record && found.record.enabled === false
        ? `${what} is switched off`
        : undefined;
  }
}
