/** The blocks and tools of a Converse request. Source: Bedrock's API reference, ContentBlock, ToolConfiguration and what they hold. */
import { z } from 'zod';

const opaque = z.record(z.string(), z.unknown());

/** 3.75 MB. Source: API_runtime_Message. */
const MAXIMUM_IMAGE_BYTES = 3_932_160;

const imageSource = z.strictObject({
  bytes: z
    .base64()
    .min(1)
    .refine((encoded) => Buffer.byteLength(encoded, 'base64') <= MAXIMUM_IMAGE_BYTES, 'image exceeds 3.75 MB')
    .optional(),
  s3Location: opaque.optional(),
});
const image = z.strictObject({
  format: z.enum(['png', 'jpeg', 'gif', 'webp']),
  source: imageSource.refine((source) => Object.keys(source).length === 1, 'must set exactly one key'),
});

/** ToolUseBlock.toolUseId, ToolSpecification.name. */
const word = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[a-zA-Z0-9_-]+$/, 'Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+');

export const toolUse = z.strictObject({ toolUseId: word, name: word, input: z.json(), type: z.string().optional() });

const resultContent = z
  .strictObject({
    json: opaque.optional(),
    text: z.string().min(1).optional(),
    image: image.optional(),
    document: opaque.optional(),
    video: opaque.optional(),
    searchResult: opaque.optional(),
  })
  .refine((content) => Object.keys(content).length === 1, 'must set exactly one key');

export const toolResult = z.strictObject({
  toolUseId: word,
  content: z.array(resultContent),
  status: z.enum(['success', 'error']).optional(),
  type: z.string().optional(),
});

/** Kinds that are taken as they are and not looked into. */
const OTHER_BLOCKS =
  'document video audio guardContent cachePoint reasoningContent citationsContent searchResult'.split(' ');

export const contentBlock = z.strictObject({
  text: z.string().optional(),
  image: image.optional(),
  toolUse: toolUse.optional(),
  toolResult: toolResult.optional(),
  ...Object.fromEntries(OTHER_BLOCKS.map((name) => [name, opaque.optional()])),
});
export type ContentBlock = z.infer<typeof contentBlock>;

export const systemBlock = z.strictObject({
  text: z.string().min(1).optional(),
  guardContent: opaque.optional(),
  cachePoint: opaque.optional(),
});

const toolSpec = z.strictObject({
  name: word,
  description: z.string().min(1).optional(),
  inputSchema: z.strictObject({ json: opaque }),
  strict: z.boolean().optional(),
});
const toolChoice = z.strictObject({
  auto: z.strictObject({}).optional(),
  any: z.strictObject({}).optional(),
  tool: z.strictObject({ name: word }).optional(),
});

export const toolConfig = z.strictObject({
  tools: z
    .array(
      z.strictObject({ toolSpec: toolSpec.optional(), cachePoint: opaque.optional(), systemTool: opaque.optional() }),
    )
    .min(1),
  toolChoice: toolChoice.optional(),
});
export type ToolConfig = z.infer<typeof toolConfig>;
