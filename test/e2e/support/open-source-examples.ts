/**
 * Workflows after the examples of the open-source server (conductor-oss/conductor, of August 2026): the same tasks, inputs and
 * references between them, other words. They name other vendors' models; a catalog that has records of those names serves them.
 */
import type { WorkflowDefinition } from '../../../devservers/conductor-api.ts';

const says = (role: 'system' | 'user', message: string) => ({ role, message });

function chat(reference: string, model: readonly [provider: string, name: string], inputs: object) {
  const [llmProvider, name] = model;
  return {
    ...{ name: `oss_${reference}`, taskReferenceName: reference, type: 'LLM_CHAT_COMPLETE' },
    inputParameters: { llmProvider, model: name, ...inputs },
  };
}

const SMALL = ['openai', 'gpt-4o-mini'] as const;
const LARGE = ['openai', 'gpt-4o'] as const;
const CLAUDE = ['anthropic', 'claude-3-5-sonnet-20241022'] as const;

/** ai/examples/01-chat-completion.json */
export const chatCompletion: WorkflowDefinition = {
  name: 'oss_chat',
  tasks: [
    chat('chat', SMALL, {
      messages: [says('system', 'You help people.'), says('user', 'Which city is the capital of France?')],
      ...{ temperature: 0.7, maxTokens: 500 },
    }),
  ],
};

/** ai/examples/02-generate-embeddings.json */
export const embeddings: WorkflowDefinition = {
  name: 'oss_embedding',
  tasks: [
    {
      ...{ name: 'oss_embeddings', taskReferenceName: 'embeddings', type: 'LLM_GENERATE_EMBEDDINGS' },
      inputParameters: { llmProvider: 'openai', model: 'text-embedding-3-small', text: 'Conductor orchestrates' },
    },
  ],
};

/** ai/examples/10-mcp-ai-agent.json */
export const mcpAgent: WorkflowDefinition = {
  name: 'oss_mcp_agent',
  tasks: [
    {
      ...{ name: 'oss_list_tools', taskReferenceName: 'discover_tools', type: 'LIST_MCP_TOOLS' },
      inputParameters: { mcpServer: 'http://localhost:3001/mcp' },
    },
    chat('plan', CLAUDE, {
      messages: [
        says(
          'system',
          'You are an agent with the tools ${discover_tools.output.tools}. The goal: ${workflow.input.task}',
        ),
        says('user', 'Name the tool and its arguments. Answer with JSON: {method, arguments}'),
      ],
      ...{ temperature: 0.1, maxTokens: 500 },
    }),
    {
      ...{ name: 'oss_call_tool', taskReferenceName: 'execute', type: 'CALL_MCP_TOOL' },
      inputParameters: {
        mcpServer: 'http://localhost:3001/mcp',
        method: '${plan.output.result.method}',
        arguments: '${plan.output.result.arguments}',
      },
    },
    chat('summarize', SMALL, {
      messages: [says('user', 'Say in a sentence what came out: ${execute.output.content}')],
      maxTokens: 200,
    }),
  ],
  outputParameters: { summary: '${summarize.output.result}' },
};

/** ai/examples/22-multi-turn-chain.json */
export const multiTurn: WorkflowDefinition = {
  name: 'oss_multi_turn',
  tasks: [
    chat('turn1', LARGE, {
      messages: [says('system', 'You are an architect.'), says('user', 'Design ${workflow.input.topic}')],
      ...{ temperature: 0.3, maxTokens: 2000 },
    }),
    chat('turn2', LARGE, {
      messages: [says('user', 'Which risks does it have?')],
      previousResponseId: '${turn1.output.responseId}',
      ...{ temperature: 0.3, maxTokens: 2000 },
    }),
  ],
  outputParameters: { architecture: '${turn1.output.result}', risks: '${turn2.output.result}' },
};

/** ai/examples/36-ai-workflow-routing.json, and 36b-ai-route-refund-request.json */
export const router: WorkflowDefinition = {
  name: 'oss_router',
  inputParameters: ['request'],
  tasks: [
    chat('select_workflow', SMALL, {
      messages: [
        says(
          'system',
          'Choose a workflow of this JSON catalog, and answer with JSON alone: [{"workflow":"oss_refund"}]',
        ),
        says('user', 'The request: ${workflow.input.request}. Give workflow and reason as JSON.'),
      ],
      ...{ temperature: 0, maxTokens: 120, jsonOutput: true },
    }),
    {
      ...{ name: 'oss_run_selected', taskReferenceName: 'run_selected', type: 'SUB_WORKFLOW' },
      inputParameters: {
        request: '${workflow.input.request}',
        routingReason: '${select_workflow.output.result.reason}',
      },
      subWorkflowParam: { name: '${select_workflow.output.result.workflow}', version: 1 },
    },
  ],
  outputParameters: {
    selected: '${select_workflow.output.result.workflow}',
    routed: '${run_selected.output}',
  },
};
export const refund: WorkflowDefinition = {
  name: 'oss_refund',
  inputParameters: ['request', 'routingReason'],
  tasks: [{ name: 'oss_record', taskReferenceName: 'record', type: 'NOOP' }],
  outputParameters: { route: 'refund', routingReason: '${workflow.input.routingReason}' },
};

/** docs/devguide/ai/cookbook/assets/llm-guardrails.json, as far as a draft that is sound goes. */
export const guardrails: WorkflowDefinition = {
  name: 'oss_guardrails',
  inputParameters: ['userInput', 'policy'],
  tasks: [
    {
      ...{ name: 'oss_screen', taskReferenceName: 'screen', type: 'INLINE' },
      inputParameters: {
        evaluatorType: 'graaljs',
        text: '${workflow.input.userInput}',
        expression: "(function(){ return { blocked: /ignore\\s+previous/i.test($.text || '') }; })()",
      },
    },
    chat('input_policy', SMALL, {
      messages: [
        says('system', 'Is the request permitted? Answer with JSON: {"permitted": boolean, "reason": string}.'),
        says('user', 'Policy: ${workflow.input.policy}\nRequest: ${workflow.input.userInput}'),
      ],
      ...{ temperature: 0.0, maxTokens: 300, jsonOutput: true },
    }),
    {
      ...{ name: 'oss_route', taskReferenceName: 'route', type: 'SWITCH', evaluatorType: 'value-param' },
      expression: 'permitted',
      inputParameters: { permitted: '${input_policy.output.result.permitted}' },
      decisionCases: {
        true: [
          chat('answer', LARGE, {
            messages: [
              says('system', 'Answer within the policy, with JSON: {"answer": string}.'),
              says('user', 'Policy: ${workflow.input.policy}\nRequest: ${workflow.input.userInput}'),
            ],
            ...{ temperature: 0.3, maxTokens: 900, jsonOutput: true },
          }),
        ],
      },
      defaultCase: [
        {
          ...{ name: 'oss_refuse', taskReferenceName: 'refuse', type: 'TERMINATE' },
          inputParameters: { terminationStatus: 'FAILED', workflowOutput: { error: 'input_policy_denied' } },
        },
      ],
    },
  ],
  outputParameters: { answer: '${answer.output.result.answer}' },
};

/** ai/examples/17-web-search.json, 18-code-execution.json, 20-extended-thinking.json: what each asks for that no model of ours has. */
export const NOT_SERVED = { webSearch: true, codeInterpreter: true, thinkingTokenLimit: 10_000 } as const;

export function notServed(input: keyof typeof NOT_SERVED): WorkflowDefinition {
  return {
    name: `oss_${input}`,
    tasks: [
      chat('chat', SMALL, { messages: [says('user', '${workflow.input.question}')], [input]: NOT_SERVED[input] }),
    ],
  };
}
