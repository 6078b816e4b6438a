/** The same signed call for every program that is measured, over the AWS SDK and undici, as the worker makes it. */
import { BedrockRuntimeClient, ConverseCommand, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import { UndiciHttpHandler } from '@smithy/undici-http-handler';
import { Agent } from 'undici';

const client = new BedrockRuntimeClient({
  region: 'us-east-1',
  requestHandler: new UndiciHttpHandler({ dispatcher: new Agent() }),
  maxAttempts: 1,
});

/** A task's input to its output: text through Converse where there is a prompt, else Embed v4. */
export async function answer(input: Readonly<Record<string, unknown>>): Promise<{ result: unknown }> {
  const model = String(input['model']);
  return { result: input['prompt'] === undefined ? await embed(model, input) : await converse(model, input) };
}

async function converse(model: string, { prompt, maxTokens }: Readonly<Record<string, unknown>>): Promise<unknown> {
  const { output } = await client.send(
    new ConverseCommand({
      modelId: model,
      messages: [{ role: 'user', content: [{ text: String(prompt) }] }],
      inferenceConfig: { maxTokens: Number(maxTokens) },
    }),
  );
  return output?.message?.content?.[0]?.text;
}

async function embed(model: string, { text }: Readonly<Record<string, unknown>>): Promise<unknown> {
  const output = await client.send(
    new InvokeModelCommand({
      modelId: model,
      contentType: 'application/json',
      accept: 'application/json',
      body: JSON.stringify({
        texts: [text],
        input_type: 'search_document',
        embedding_types: ['float'],
        output_dimension: 256,
      }),
    }),
  );
  return JSON.parse(output.body.transformToString()).embeddings.float[0];
}
