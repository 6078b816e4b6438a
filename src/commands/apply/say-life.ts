import { lifeInWords, lifeOf, lifeWarning } from '../../integrations/cohere/models.ts';
import { modelRecord } from '../../integrations/model.ts';
import { splitQualified } from '../../integrations/names.ts';
import type { Change } from '../../manifests/changes.ts';
import type { Terminal } from '../terminal.ts';

/** A model's state at Bedrock, and a warning where it has ended or will end: it is written all the same. */
export function sayLife({ name, after }: Pick<Change, 'name' | 'after'>, terminal: Terminal): void {
  const model = modelRecord.safeParse(after);
  const id = model.data?.configuration.modelId ?? splitQualified(name)?.model;
  if (!model.success || id === undefined) return;
  const now = new Date();
  const state = lifeInWords(id, now);
  if (state !== undefined) terminal.say(terminal.faint(`    (at Bedrock: ${state})`));
  const warning = lifeWarning(lifeOf(id, now));
  if (warning !== undefined) terminal.warn(`models ${name}: ${warning}`);
}
