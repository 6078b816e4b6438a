import type { TaskType } from '../../config.ts';
import { ServiceError } from '../../errors.ts';
import type { Codec } from '../../integrations/codec.ts';
import type { ResolvedModel } from '../../integrations/resolve.ts';

const DONE_BY: Readonly<Record<Exclude<keyof Codec, 'family'>, TaskType>> = {
  text: 'LLM_TEXT_COMPLETE',
  chat: 'LLM_CHAT_COMPLETE',
  embeddings: 'LLM_GENERATE_EMBEDDINGS',
  rerank: 'LLM_RERANK',
};

/** MODEL_UNFIT: what a family cannot do, what it is for, and what to do where the model is of another. `what`: `complete text`. */
export function modelUnfit({ integration, model, family, codec }: ResolvedModel, what: string): ServiceError {
  const types = Object.entries(DONE_BY).flatMap(([can, type]) => (codec[can as keyof typeof DONE_BY] ? [type] : []));
  const message =
    `Input model: ${integration}:${model} (family ${family}) cannot ${what}: that family is for ${types.join(' and ')}. ` +
    'If it is of another family, configuration.family of its record must say so';
  return new ServiceError('MODEL_UNFIT', message, { field: 'model' });
}
