import { joinDefaults } from '../../calls/inputs/defaults.ts';
import { nameFault } from '../../catalog/records.ts';
import type { Snapshot } from '../../catalog/snapshot.ts';
import { ServiceError } from '../../errors.ts';
import { splitQualified } from '../../integrations/names.ts';
import { highestVersion } from '../../prompts/prompt.ts';
import type { Tag } from '../../record-fields.ts';
import { type Edit, unchanged } from '../../redis/edits.ts';
import { demandWrite } from '../access/authorize.ts';
import { type Caller, demandAccess } from '../access/caller.ts';
import { modelAsked, promptAsked } from '../access/targets.ts';
import type { AdminParts } from '../parts.ts';
import { demandRecord, editsForNew, fieldsOf, rawOf, recordText } from '../records.ts';
import { seesModel } from '../wire/prompt.ts';
import { tagsToWrite } from './tags.ts';

/** One version of a prompt, as a route is asked to write it. */
export interface PromptWrite {
  readonly template: string;
  readonly description: string | undefined;
  /** Undefined: those it has. */
  readonly models: readonly string[] | undefined;
  /** `latest`: the highest that there is; `next`: one above it. */
  readonly version: number | 'latest' | 'next';
  readonly tags?: readonly Tag[] | undefined;
  /** Undefined: those that the version has. */
  readonly defaults: Readonly<Record<string, unknown>> | undefined;
}

/** The edits that write it. Throws what refuses it. */
export function writePrompt(
  parts: AdminParts,
  snapshot: Snapshot,
  caller: Caller,
  name: string,
  write: PromptWrite,
): Edit[] {
  const { names } = parts;
  const bad = nameFault('prompts', name);
  if (bad !== undefined) throw new ServiceError('REQUEST_INVALID', `name: ${bad}`);
  demandWrite(snapshot, caller, 'PROMPT_CREATE', promptAsked(name));
  const raw = rawOf(snapshot, 'prompts', name);
  const found = snapshot.prompt(name);
  const stored = found.kind === 'found' ? found.record : undefined;
  const json = fieldsOf(snapshot, 'prompts', name);
  const highest = stored === undefined ? 0 : highestVersion(stored);
  const number =
    write.version === 'next' ? highest + 1 : write.version === 'latest' ? Math.max(1, highest) : write.version;
  if (stored === undefined && number !== 1) {
    throw new ServiceError('REQUEST_INVALID', `version: the prompt ${name} does not exist, and begins with version 1`);
  }
  const known = stored?.integrations ?? [];
  // What the caller does not see is not the caller's to take away by writing back what it read.
  const unseen = known.filter((model) => !seesModel(caller, model));
  const linked = write.models === undefined ? known : [...new Set([...write.models, ...unseen])];
  const fresh = linked.filter((model) => !known.includes(model));
  // Only what is new is looked at: a link that became loose must not keep the text from being mended.
  const models = fresh.map((model) => linkModel(parts, snapshot, caller, model));
  const isFirst = number === 1 && !(stored !== undefined && Object.hasOwn(stored.versions, '1'));
  // A new version is run as the one it follows, until it says how.
  const begun = number > highest ? { defaults: stored?.versions[highest]?.defaults } : undefined;
  const written = {
    template: write.template,
    ...(write.description === undefined ? {} : { description: write.description }),
    ...(write.defaults === undefined ? {} : { defaults: filled(write.defaults) }),
  };
  const text = recordText(
    'prompts',
    {
      ...json,
      ...(isFirst
        ? written
        : {
            versions: {
              ...stored?.versions,
              // What a save does not speak of stays: Orkes' clients do not know of all of it.
              [number]: { ...(stored?.versions[number] ?? begun), ...written, variables: undefined },
            },
          }),
      description: (isFirst ? write.description : undefined) ?? stored?.description,
      integrations: linked,
      tags: tagsToWrite(snapshot, caller, promptAsked(name), write.tags, { isNew: stored === undefined }),
      name: undefined,
      version: undefined,
      variables: undefined,
    },
    { caller, before: json },
  );
  const edits: Edit[] = [...models, { key: names.hash('prompts'), field: name, before: raw, after: text }];
  if (raw !== undefined) return edits;
  return [...edits, ...editsForNew({ names, snapshot, caller }, { kind: 'prompts', name }, promptAsked(name))];
}

/** Nothing at all where they say nothing. */
function filled(defaults: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const said = joinDefaults([defaults]);
  return Object.keys(said).length === 0 ? undefined : said;
}

/**
 * What lets a model run a prompt: that the caller may READ it, and that it is still there when that is written. One that takes only
 * named prompts is closed to whatever its keepers did not let in: that needs UPDATE on it.
 */
export function linkModel(parts: AdminParts, snapshot: Snapshot, caller: Caller, qualified: string): Edit {
  const model = splitQualified(qualified);
  if (model === undefined) throw new ServiceError('REQUEST_INVALID', `models: "${qualified}" is not provider:model`);
  const asked = modelAsked(model.integration, model.model);
  demandAccess(caller, 'READ', asked);
  const { raw, record } = demandRecord(snapshot, 'models', qualified);
  if (!record.configuration.rawPrompts) demandAccess(caller, 'UPDATE', asked);
  return unchanged(parts.names.hash('models'), qualified, raw);
}
