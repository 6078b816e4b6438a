import type {
  BedrockCall,
  ChatCodec,
  ConverseFields,
  EmbeddingsCodec,
  RerankCodec,
  TextCodec,
} from '../../../src/integrations/codec.ts';
import { codecFor } from '../../../src/integrations/codecs.ts';

export function textCodec(family: 'command' | 'command-r' | 'converse'): TextCodec {
  return demand(codecFor(family).text);
}

export function chatCodec(family: 'command-r' | 'converse'): ChatCodec {
  return demand(codecFor(family).chat);
}

export function embeddingsCodec(family: 'embed-v3' | 'embed-v4'): EmbeddingsCodec {
  return demand(codecFor(family).embeddings);
}

export function rerankCodec(): RerankCodec {
  return demand(codecFor('rerank').rerank);
}

/** The body of a call that must be InvokeModel's. */
export function bodyOf(call: BedrockCall): Readonly<Record<string, unknown>> {
  if (call.operation !== 'InvokeModel') throw new Error(`a call by ${call.operation}`);
  return call.body;
}

/** The fields of a call that must be Converse's. */
export function fieldsOf(call: BedrockCall): ConverseFields {
  if (call.operation !== 'Converse') throw new Error(`a call by ${call.operation}`);
  return call.input;
}

function demand<T>(codec: T | undefined): T {
  if (codec === undefined) throw new Error('the family does not do that');
  return codec;
}
