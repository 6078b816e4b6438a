import { describe, expect, it, vi } from 'vitest';
import type { ChatMessage } from '../../../src/calls/inputs/chat-inputs.ts';
import { readConversation } from '../../../src/calls/kinds/conversation.ts';
import { ServiceError } from '../../../src/errors.ts';

const user: ChatMessage = { role: 'user', message: 'Hi' };
const calls = (...names: readonly string[]): ChatMessage => ({
  role: 'tool_call',
  toolCalls: names.map((name) => ({ taskReferenceName: `ref-${name}`, name, inputParameters: { method: name, a: 1 } })),
});
const results = (...names: readonly string[]): ChatMessage => ({
  role: 'tool',
  toolCalls: names.map((name) => ({ taskReferenceName: `ref-${name}`, name, output: { of: name } })),
});
const names = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`);
const PIXEL = 'data:image/png;base64,iVBORw0KGgo=';

/** Roles, and in brackets the tools that are called or answered. */
function outline(messages: readonly ChatMessage[]): string[] {
  return readConversation(messages).turns.map((turn) => {
    if (turn.role === 'tool-calls') return `calls(${turn.calls.map(({ name }) => name)})`;
    if (turn.role === 'tool-results') return `results(${turn.results.map(({ output }) => JSON.stringify(output))})`;
    return turn.role;
  });
}

function refused(messages: readonly ChatMessage[]): { field: string | undefined; message: string } | undefined {
  try {
    readConversation(messages);
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'INPUT_INVALID')
      return { field: error.field, message: error.message };
    throw error;
  }
  return undefined;
}

describe('a conversation', () => {
  it('has its turns in their order, and what the system says apart', () => {
    const messages: ChatMessage[] = [
      { role: 'system', message: 'Be kind.' },
      user,
      { role: 'assistant', message: 'Hello' },
      { role: 'human', message: { as: 'JSON' } },
      { role: 'system', message: 'Be brief.' },
    ];
    expect(readConversation(messages)).toStrictEqual({
      system: ['Be kind.', 'Be brief.'],
      turns: [
        { role: 'user', field: 'messages.1', images: [], text: 'Hi' },
        { role: 'assistant', field: 'messages.2', text: 'Hello' },
        { role: 'user', field: 'messages.3', images: [], text: '{"as":"JSON"}' },
      ],
    });
  });

  it.each<[string, ChatMessage[], string[]]>([
    ['a call and its result', [calls('a'), results('a')], ['calls(a)', 'results({"of":"a"})']],
    ['calls at once', [calls('a', 'b'), results('b', 'a')], ['calls(a,b)', 'results({"of":"a"},{"of":"b"})']],
    [
      'calls one a message',
      [calls('a'), calls('b'), results('a'), results('b')],
      ['calls(a,b)', 'results({"of":"a"},{"of":"b"})'],
    ],
    [
      'pairs, as the open-source server tells a history',
      [calls('a'), results('a'), calls('b'), results('b')],
      ['calls(a)', 'results({"of":"a"})', 'calls(b)', 'results({"of":"b"})'],
    ],
    [
      'results alone, as it does of tasks in a loop',
      [results('a'), results('b')],
      ['calls(a)', 'results({"of":"a"})', 'calls(b)', 'results({"of":"b"})'],
    ],
    [
      'words with a call',
      [{ role: 'assistant', message: 'I look.', toolCalls: calls('a').toolCalls }, results('a')],
      ['assistant', 'calls(a)', 'results({"of":"a"})'],
    ],
  ])('brings together %s', (_, messages, expected) => {
    expect(outline([user, ...messages])).toEqual(['user', ...expected]);
  });

  it('knows a call by its task, else by its name, and gives no two the same id', () => {
    const { turns } = readConversation([
      user,
      calls('a'),
      results('a'),
      calls('a'),
      { role: 'tool', toolCalls: [{ name: 'a', output: 2 }] },
      { role: 'tool', toolCalls: [{ name: 'c', output: 3 }] },
    ]);
    expect(turns.flatMap((turn) => (turn.role === 'tool-results' ? turn.results : []))).toEqual([
      { call: { id: 'ref-a', name: 'a', parameters: { a: 1 } }, output: { of: 'a' } },
      { call: { id: 'ref-a-2', name: 'a', parameters: { a: 1 } }, output: 2 },
      { call: { id: 'call-3', name: 'c', parameters: {} }, output: 3 },
    ]);
  });

  it('gives ids that differ among those that look like one made up', () => {
    const toolCalls = ['a', 'a-2', 'a', undefined, 'call-5', 'call', undefined, 'a', 'call'].map(
      (taskReferenceName) => ({ taskReferenceName, name: 'x', output: 1 }),
    );
    const { turns } = readConversation([user, { role: 'tool', toolCalls }]);
    const ids = turns.flatMap((turn) => (turn.role === 'tool-calls' ? turn.calls.map(({ id }) => id) : []));
    expect(ids).toEqual(['a', 'a-2', 'a-3', 'call-4', 'call-5', 'call', 'call-7', 'a-4', 'call-2']);
  });

  it('gives a result to the first call of its name that has none, whichever others were named by their tasks', () => {
    const call = (taskReferenceName: string) => ({ taskReferenceName, name: 'a' });
    const result = (output: number, taskReferenceName?: string) => ({ taskReferenceName, name: 'a', output });
    const { turns } = readConversation([
      user,
      { role: 'tool_call', toolCalls: [call('x'), call('y'), call('x'), call('z')] },
      { role: 'tool', toolCalls: [result(1, 'x'), result(2), result(3, 'x'), result(4)] },
    ]);
    expect(turns[2]).toMatchObject({ results: [{ output: 1 }, { output: 2 }, { output: 3 }, { output: 4 }] });
    expect(turns).toHaveLength(3);
  });

  it('counts the repeats of a task on from where it was, and not from 2 each time', () => {
    // Every id that is looked for is one more question whether it is there: a count, not a time.
    const has = vi.spyOn(Set.prototype, 'has');
    const toolCalls = Array.from({ length: 1_000 }, () => ({ taskReferenceName: 'a', name: 'x', output: 1 }));
    readConversation([user, { role: 'tool', toolCalls }]);
    const looked = has.mock.calls.length;
    has.mockRestore();
    expect(looked).toBeLessThan(3_000);
  });

  it('keeps a parameter that is called method where it is the model’s own', () => {
    const toolCalls = [{ name: 'a', inputParameters: { method: 'get' }, output: 1 }];
    expect(readConversation([user, { role: 'tool', toolCalls }]).turns).toMatchObject([
      { role: 'user' },
      { role: 'tool-calls', calls: [{ parameters: { method: 'get' } }] },
      { role: 'tool-results' },
    ]);
  });

  it('has images of the user from data URIs, with or without words', () => {
    const media = [PIXEL, PIXEL.replace('png', 'JPG')];
    const { turns } = readConversation([{ role: 'user', media, mimeType: 'image/png' }]);
    // No Buffer: as JSON that would be a list of numbers.
    const bytes = new Uint8Array(Buffer.from('iVBORw0KGgo=', 'base64'));
    expect(turns).toStrictEqual([
      {
        role: 'user',
        field: 'messages.0',
        images: [
          { format: 'png', bytes },
          { format: 'jpeg', bytes },
        ],
      },
    ]);
  });

  it.each<[string, ChatMessage[], string, RegExp]>([
    ['nothing', [], 'messages', /give messages of \{role, message\}/],
    ['a system’s words alone', [{ role: 'system', message: 'x' }], 'messages', /nobody says anything but the system/],
    ['a blank message', [{ role: 'user', message: ' ' }], 'messages.0.message', /is empty/],
    ['a call without a result', [user, calls('a'), user], 'messages.1', /call of a has no result before messages.2/],
    ['a call at the end', [user, calls('a')], 'messages.1', /before the end/],
    ['a tool without calls', [user, { role: 'tool' }], 'messages.1.toolCalls', /missing/],
    ['a tool_call without calls', [user, { role: 'tool_call', toolCalls: [] }], 'messages.1.toolCalls', /missing/],
    ['a tool’s words', [user, { ...results('a'), message: 'x' }], 'messages.1.message', /as their output/],
    ['calls of the user', [{ ...user, toolCalls: calls('a').toolCalls }], 'messages.0.toolCalls', /has none/],
    [
      'images of the assistant',
      [user, { role: 'assistant', message: 'x', media: [PIXEL] }],
      'messages.1.media',
      /only messages of the user/,
    ],
    [
      'an address',
      [{ role: 'user', media: ['https://example.com/a.png'] }],
      'messages.0.media.0',
      /nothing is fetched/,
    ],
    ['a file', [{ role: 'user', media: ['file:///etc/passwd'] }], 'messages.0.media.0', /nothing is fetched/],
    ['a document', [{ role: 'user', media: ['data:application/pdf;base64,AAAA'] }], 'messages.0.media.0', /data URI/],
    [
      'bare base64',
      [{ role: 'user', media: ['iVBORw0KGgo='], mimeType: 'image/png' }],
      'messages.0.media.0',
      /data URI/,
    ],
    [
      'too large an image',
      [{ role: 'user', media: [`data:image/png;base64,${'A'.repeat(5_242_884)}`] }],
      'messages.0.media.0',
      /more than 3.75 MB/,
    ],
    [
      'more calls and results of tools than 1,000 in all',
      [
        user,
        ...Array.from({ length: 10 }, () => [calls(...names(50)), results(...names(50))]).flat(),
        { role: 'tool', toolCalls: [{ name: 'a' }] },
      ],
      'messages.21.toolCalls',
      /more than 1000/,
    ],
    [
      '21 images',
      [{ role: 'user', media: Array.from({ length: 21 }, () => PIXEL) }],
      'messages.0.media',
      /more than 20/,
    ],
  ])('is refused with %s', (_, messages, field, message) => {
    expect(refused(messages)).toEqual({ field, message: expect.stringMatching(message) });
  });
});
