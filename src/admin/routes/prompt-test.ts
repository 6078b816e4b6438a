import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { textComplete } from '../../calls/kinds/text-complete.ts';
import { callerOfRequest } from '../access/authorize.ts';
import { whenGone } from '../http/gone.ts';
import { answers } from '../http/schemas.ts';
import { tellWarnings } from '../http/warnings.ts';
import type { AdminParts } from '../parts.ts';
import { writtenDefaults } from '../wire/prompt.ts';

/**
 * Orkes' PromptTemplateTestRequest, with all that a prompt's `defaults` can hold, so that they can be tried, too. Ranges are each
 * model family's own, and are said with the names of a task's inputs.
 */
const testRequest = z.strictObject({
  ...writtenDefaults.shape,
  llmProvider: z.string().describe("The integration's name."),
  model: z.string(),
  prompt: z.string().min(1).describe("The template's text, not its name."),
  promptVariables: z.record(z.string(), z.unknown()).nullish(),
});

/** Trying a template: Orkes' `PromptResource.testMessageTemplate`. */
export function promptTestRoutes({ calls }: AdminParts): FastifyPluginAsyncZod {
  return async (app) => {
    app.post('/prompts/test', {
      schema: {
        tags: ['Prompts'],
        summary: 'Render a template and let a model complete it',
        description:
          "Decided, admitted by the model's limits and counted as a task is. Waits 30 s at most for its turn. " +
          'A model that takes only named prompts refuses it. Headers `Warning` name variables that the template does not have.',
        body: testRequest,
        response: answers(
          { 200: { description: 'What the model wrote.', content: { 'text/plain': { schema: z.string() } } } },
          [424, 429],
        ),
      },
      config: {
        unversioned: true,
        // Its denials go on record as those of tasks.
        recordsDenials: true,
        permission: { kind: 'by-body', rule: 'Needs EXECUTE on the model, or the role ADMIN.' },
      },
      async handler(request, reply) {
        const { promptVariables, ...input } = request.body;
        const { subject } = callerOfRequest(request);
        const { output, notes } = await calls.run({
          kind: textComplete,
          // A template is always rendered; one without variables needs none.
          input: { ...input, promptVariables: promptVariables ?? {} },
          subject: () => ({ kind: 'known', subject, source: 'token', mayBeAdmin: true }),
          signal: whenGone(reply),
        });
        tellWarnings(reply, notes);
        const { result } = output;
        // A model's `defaults` may ask for JSON, which is then shown as JSON.
        return await reply
          .type('text/plain; charset=utf-8')
          .send(typeof result === 'string' ? result : JSON.stringify(result));
      },
    });
  };
}
