import { z } from 'zod';
import { givenCounts, readAnswer } from '../answers.ts';
import type { Codec } from '../codec.ts';
import { finishReasonOf } from '../finish-reasons.ts';
import { textWords } from '../parameters.ts';
import { commandRChat } from './command-r-chat.ts';

const body = z.object({ text: z.string(), finish_reason: z.string().nullish() });

/**
 * Cohere Command R and R+: `message` in, one `text` out. A `stream` key would be refused, so none is ever sent.
 * Source: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-cohere-command-r-plus.html
 */
export const commandR: Codec = {
  family: 'command-r',
  chat: commandRChat,
  text: {
    encode(request) {
      return { operation: 'InvokeModel', body: { message: request.prompt, ...textWords('command-r', request) } };
    },

    decode(answer) {
      const { text, finish_reason } = readAnswer('command-r', answer.body, body);
      return {
        completions: [{ text, finishReason: finishReasonOf(finish_reason) }],
        tokens: givenCounts(answer.tokens.prompt, answer.tokens.completion),
      };
    },
  },
};
