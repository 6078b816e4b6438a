/** Embed v4. Source: "Cohere Embed v4" in Bedrock's inference parameters. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { list, malformed, parseBody } from '../malformed.ts';
import { countTokens } from '../tokens.ts';
import { EMBEDDING_TYPES, embedText, mergeVectors } from '../vectors.ts';
import { embeddingsOf, fitText } from './embedding.ts';
import type { FamilyAnswer, FamilyContext } from './family.ts';
import { dataUri } from './images.ts';

const CONTEXT_TOKENS = 128_000;
/** What Bedrock counts for an image is not documented; any stable number serves. */
const IMAGE_TOKENS = 256;

const image = dataUri(['jpeg', 'png', 'webp', 'gif']);
const part = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({ type: z.literal('image_url'), image_url: z.strictObject({ url: image }) }),
]);
const schema = z.strictObject({
  input_type: z.enum(['search_document', 'search_query', 'classification', 'clustering']),
  texts: list(z.string(), 1, 96).optional(),
  images: list(image, 1, 96).optional(),
  inputs: list(z.strictObject({ content: list(part, 1) }), 1, 96).optional(),
  truncate: z.enum(['NONE', 'LEFT', 'RIGHT']).optional(),
  embedding_types: list(z.enum(EMBEDDING_TYPES), 1, EMBEDDING_TYPES.length).optional(),
  output_dimension: z.union([z.literal(256), z.literal(512), z.literal(1024), z.literal(1536)]).optional(),
});
type Request = z.infer<typeof schema>;
type Part = z.infer<typeof part>;

export function answerEmbedV4(body: unknown, { settings }: Pick<FamilyContext, 'settings'>): FamilyAnswer {
  const request = parseBody(schema, body);
  const given = [request.texts, request.images, request.inputs].filter((one) => one !== undefined).length;
  if (given === 0) throw malformed('#: required key [texts] not found');
  if (given > 1) throw malformed(`#: ${given} subschemas matched instead of one`);

  const dimensions = request.output_dimension ?? 1536;
  const inputs = inputsOf(request);
  const vectors = inputs.map((parts) => {
    const [only, ...more] = parts.map((one) =>
      embedText(one.type === 'text' ? one.text : one.image_url.url, dimensions),
    );
    return only !== undefined && more.length === 0 ? only : mergeVectors([only ?? [], ...more], dimensions);
  });
  const unasked = settings.embedV4Unasked === 'by-type' ? (['float'] as const) : undefined;
  return {
    body: {
      id: randomUUID(),
      texts: request.texts ?? [],
      ...embeddingsOf(vectors, request.embedding_types ?? unasked),
    },
    inputTokens: inputs
      .flat()
      .reduce((sum, one) => sum + (one.type === 'text' ? countTokens(one.text) : IMAGE_TOKENS), 0),
  };
}

/** Every way to ask, as lists of parts; texts cut to what the model reads. */
function inputsOf({ texts = [], images = [], inputs = [], truncate = 'NONE' }: Request): Part[][] {
  // `truncate: LEFT` cuts the left end off.
  const keep = truncate === 'NONE' ? undefined : truncate === 'LEFT' ? 'end' : 'start';
  const fit = (one: Part): Part =>
    one.type === 'text' ? { type: 'text', text: fitText(one.text, CONTEXT_TOKENS, keep) } : one;
  return [
    ...texts.map((one): Part[] => [{ type: 'text', text: one }]),
    ...images.map((url): Part[] => [{ type: 'image_url', image_url: { url } }]),
    ...inputs.map(({ content }) => content),
  ].map((parts) => parts.map(fit));
}
