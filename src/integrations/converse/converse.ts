import { z } from 'zod';
import { givenCounts, readAnswer } from '../answers.ts';
import type { Codec, ConverseFields } from '../codec.ts';
import { finishReasonOf } from '../finish-reasons.ts';
import { textWords } from '../parameters.ts';
import { converseChat } from './converse-chat.ts';

const body = z.object({
  output: z.object({
    message: z.object({
      // Blocks without a text (reasoningContent, toolUse, kinds yet to come) are read as such and skipped.
      content: z.array(z.object({ text: z.string().nullish() })),
    }),
  }),
  stopReason: z.string().nullish(),
  usage: z.object({ inputTokens: z.number().nullish(), outputTokens: z.number().nullish() }).nullish(),
});

/**
 * Any chat model of Bedrock's, through its common API. The text of an answer without a text block is empty, which is
 * what a model that spent all its tokens on reasoning gives, with `finishReason` saying so.
 * Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
 */
export const converse: Codec = {
  family: 'converse',
  chat: converseChat,
  text: {
    encode(request) {
      return {
        operation: 'Converse',
        input: {
          messages: [{ role: 'user', content: [{ text: request.prompt }] }],
          // The table's words for this family are the members of InferenceConfiguration.
          inferenceConfig: textWords('converse', request) as NonNullable<ConverseFields['inferenceConfig']>,
        },
      };
    },

    decode(answer) {
      const { output, stopReason, usage } = readAnswer('converse', answer.body, body);
      const text = output.message.content.map((block) => block.text ?? '').join('');
      return {
        completions: [{ text, finishReason: finishReasonOf(stopReason) }],
        tokens: givenCounts(usage?.inputTokens, usage?.outputTokens),
      };
    },
  },
};
