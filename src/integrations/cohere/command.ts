import { z } from 'zod';
import { answerInvalid, givenCounts, readAnswer } from '../answers.ts';
import type { Codec } from '../codec.ts';
import { finishReasonOf } from '../finish-reasons.ts';
import { textWords } from '../parameters.ts';

const body = z.object({
  generations: z.array(z.object({ text: z.string(), finish_reason: z.string().nullish() })),
});

/**
 * Cohere Command and Command Light: `prompt` in, `generations` out, one a `maxResults`.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-cohere-command.html
 */
export const command: Codec = {
  family: 'command',
  text: {
    encode(request) {
      return { operation: 'InvokeModel', body: { prompt: request.prompt, ...textWords('command', request) } };
    },

    decode(answer) {
      const { generations } = readAnswer('command', answer.body, body);
      if (generations.length === 0) throw answerInvalid('command', 'generations: empty');
      return {
        completions: generations.map(({ text, finish_reason }) => ({
          text,
          finishReason: finishReasonOf(finish_reason),
        })),
        tokens: givenCounts(answer.tokens.prompt, answer.tokens.completion),
      };
    },
  },
};
