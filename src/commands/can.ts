import type { Snapshot } from '../catalog/snapshot.ts';
import { ServiceError } from '../errors.ts';
import { splitQualified } from '../integrations/names.ts';
import { didYouMean } from '../parsing.ts';
import { type Decision, decide, type Target } from '../rbac/decision.ts';
import { parseSubject, type Subject, subjectId } from '../rbac/subject.ts';
import type { Terminal } from './terminal.ts';

/** Explains a decision as a worker would take it now. 0: allowed, 1: denied. Throws USAGE for malformed words. */
export function runCan(snapshot: Snapshot, subjectText: string, targetText: string, terminal: Terminal): number {
  const subject = parseSubject(subjectText);
  if (subject === undefined)
    throw new ServiceError('USAGE', `can: "${subjectText}" is not USER:x, GROUP:x, ROLE:x, app:x or a user id`);
  const target = parseTarget(targetText);
  const decision = explain(snapshot, subject, target);
  const who = subjectId(subject);
  if (decision.kind === 'allow') {
    terminal.say(`${terminal.good('allowed')}  ${who} may use ${targetText}`);
    terminal.say(`  via ${decision.via.join(' → ')}`);
  } else {
    terminal.say(`${terminal.bad('denied')}  ${who} may not use ${targetText}`);
    terminal.say(`  missing: ${decision.missing}`);
  }
  terminal.result({
    allowed: decision.kind === 'allow',
    subject: who,
    target: targetText,
    via: decision.kind === 'allow' ? decision.via : [],
    missing: decision.kind === 'deny' ? decision.missing : null,
  });
  return decision.kind === 'allow' ? 0 : 1;
}

type Asked =
  | { readonly kind: 'integration'; readonly integration: string }
  | { readonly kind: 'model'; readonly integration: string; readonly model: string }
  | { readonly kind: 'prompt'; readonly prompt: string };

function parseTarget(text: string): Asked {
  if (text.startsWith('PROMPT:') && text.length > 'PROMPT:'.length)
    return { kind: 'prompt', prompt: text.slice('PROMPT:'.length) };
  // As it stands in a grant, too.
  const [, type, id = ''] = /^(INTEGRATION|INTEGRATION_PROVIDER):(.+)$/s.exec(text) ?? [];
  if (type !== undefined) return parseTarget(id);
  const model = splitQualified(text);
  if (model !== undefined) return { kind: 'model', ...model };
  if (/^[A-Za-z0-9][\w.-]*$/.test(text)) return { kind: 'integration', integration: text };
  throw new ServiceError('USAGE', `can: "${text}" is not provider, provider:model or PROMPT:name`);
}

/** The decision, and before it whether there is anything to decide about: a record that is missing, broken or off stops a task, too. */
function explain(snapshot: Snapshot, subject: Subject, asked: Asked): Decision {
  const fault = recordFault(snapshot, asked);
  if (fault !== undefined) return { kind: 'deny', missing: fault };
  return decide(snapshot, subject, withTags(snapshot, asked));
}

function withTags(snapshot: Snapshot, asked: Asked): Target {
  if (asked.kind === 'prompt') return asked;
  const integration = snapshot.integration(asked.integration);
  const tags = integration.kind === 'found' ? integration.record.tags : [];
  if (asked.kind === 'integration') return { ...asked, tags };
  const model = snapshot.model(asked.integration, asked.model);
  return { ...asked, tags: [...(model.kind === 'found' ? model.record.tags : []), ...tags] };
}

function recordFault(snapshot: Snapshot, asked: Asked): string | undefined {
  if (asked.kind === 'prompt') return faultOf(snapshot, 'prompts', asked.prompt, `the prompt ${asked.prompt}`);
  const integration = faultOf(snapshot, 'integrations', asked.integration, `the integration ${asked.integration}`);
  if (integration !== undefined || asked.kind === 'integration') return integration;
  return faultOf(
    snapshot,
    'models',
    `${asked.integration}:${asked.model}`,
    `the model ${asked.integration}:${asked.model}`,
  );
}

function faultOf(
  snapshot: Snapshot,
  kind: 'integrations' | 'models' | 'prompts',
  name: string,
  what: string,
): string | undefined {
  const found = snapshot.lookup(kind, name);
  switch (found.kind) {
    case 'absent':
      return `${what} does not exist.${didYouMean(name, snapshot.names(kind))}`;
    case 'invalid':
      return `${what} cannot be read: ${found.fault.message}`;
    case 'found':
      return 'enabled' in found.record && found.record.enabled === false ? `${what} is switched off` : undefined;
  }
}
