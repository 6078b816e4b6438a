import type { Snapshot } from '../../catalog/snapshot.ts';
import { splitQualified } from '../../integrations/names.ts';
import type { Target } from '../../rbac/decision.ts';
import type { TargetId } from '../../rbac/grants.ts';
import type { Tag } from '../../record-fields.ts';

/** Something that grants can be made on, by its name alone. */
export type Asked =
  | { readonly kind: 'integration'; readonly integration: string }
  | { readonly kind: 'model'; readonly integration: string; readonly model: string }
  | { readonly kind: 'prompt'; readonly prompt: string }
  | { readonly kind: 'application'; readonly application: string };

export const integrationAsked = (integration: string): Asked => ({ kind: 'integration', integration });
export const modelAsked = (integration: string, model: string): Asked => ({ kind: 'model', integration, model });
export const promptAsked = (prompt: string): Asked => ({ kind: 'prompt', prompt });
export const applicationAsked = (application: string): Asked => ({ kind: 'application', application });

/** What a target names, where it is something that has a record here. */
export function askedOf(target: TargetId): Asked | undefined {
  const [, type, id = ''] = /^([A-Z_]+):(.*)$/s.exec(target) ?? [];
  switch (type) {
    case 'INTEGRATION_PROVIDER':
      return integrationAsked(id);
    case 'INTEGRATION': {
      const parts = splitQualified(id);
      return parts === undefined ? undefined : modelAsked(parts.integration, parts.model);
    }
    case 'PROMPT':
      return promptAsked(id);
    case 'APPLICATION':
      return applicationAsked(id);
    default:
      return undefined;
  }
}

/** With the tags that its record carries, by which it can be granted, too. */
export function withTags(snapshot: Snapshot, asked: Asked): Target {
  switch (asked.kind) {
    case 'integration':
      return { ...asked, tags: tagsOf(snapshot.integration(asked.integration)) };
    case 'model':
      return {
        ...asked,
        tags: [
          ...tagsOf(snapshot.model(asked.integration, asked.model)),
          ...tagsOf(snapshot.integration(asked.integration)),
        ],
      };
    case 'prompt':
      return { ...asked, tags: tagsOf(snapshot.prompt(asked.prompt)) };
    case 'application':
      return { ...asked, tags: tagsOf(snapshot.lookup('applications', asked.application)) };
  }
}

/** Its record as it is known; a record that cannot be read is there, too. */
export function recordOf(snapshot: Snapshot, asked: Asked) {
  switch (asked.kind) {
    case 'integration':
      return snapshot.integration(asked.integration);
    case 'model':
      return snapshot.model(asked.integration, asked.model);
    case 'prompt':
      return snapshot.prompt(asked.prompt);
    case 'application':
      return snapshot.lookup('applications', asked.application);
  }
}

/** As grants write it. */
export function nameOf(asked: Asked): string {
  switch (asked.kind) {
    case 'integration':
      return `INTEGRATION_PROVIDER:${asked.integration}`;
    case 'model':
      return `INTEGRATION:${asked.integration}:${asked.model}`;
    case 'prompt':
      return `PROMPT:${asked.prompt}`;
    case 'application':
      return `APPLICATION:${asked.application}`;
  }
}

function tagsOf(found: { readonly kind: string; readonly record?: { readonly tags: readonly Tag[] } }): readonly Tag[] {
  return found.kind === 'found' ? (found.record?.tags ?? []) : [];
}
