/** Texts that look like a model's and are a pure function of the prompt. */
import { hash32 } from './hash.ts';
import { countTokens, firstTokens } from './tokens.ts';

/** Why a text ended; each family has its own word for it. */
export type Ending = 'end' | 'max tokens' | 'stop sequence';

export interface GeneratedText {
  readonly text: string;
  readonly ending: Ending;
  /** Tokens of the text. */
  readonly tokens: number;
  /** The sequence that ended it. */
  readonly stopSequence?: string;
}

export interface Generation {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly stopSequences?: readonly string[] | undefined;
  /** Which of several answers to the same prompt, from 0. Default 0. */
  readonly variant?: number | undefined;
}

const SENTENCES = [
  'The main point concerns TOPIC and what follows from it.',
  'Three things stand out: the amounts, the dates and TOPIC.',
  'Nothing in the text speaks against TOPIC.',
  'A reader should check TOPIC against the source before acting.',
  'In short, TOPIC is settled and needs no further step.',
  'Two of the details about TOPIC remain open.',
  'The tone is factual throughout, also where TOPIC is touched.',
  'Compared with last year, TOPIC has changed little.',
] as const;

/** Answers a prompt; one that asks for JSON (the word occurs in it) gets a small JSON object. */
export function generateText({ prompt, maxTokens, stopSequences = [], variant = 0 }: Generation): GeneratedText {
  const whole = /\bjson\b/i.test(prompt) ? jsonAnswer(prompt, variant) : proseAnswer(prompt, variant);
  const within = firstTokens(whole, maxTokens);
  const stop = stopSequences
    .map((sequence) => ({ sequence, at: within.indexOf(sequence) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at)[0];
  if (stop !== undefined) {
    const text = within.slice(0, stop.at);
    return { text, ending: 'stop sequence', tokens: countTokens(text), stopSequence: stop.sequence };
  }
  return { text: within, ending: within === whole ? 'end' : 'max tokens', tokens: countTokens(within) };
}

function proseAnswer(prompt: string, variant: number): string {
  const topics = topicsOf(prompt);
  const sentences = [0, 1, 2].map((place) => {
    const hash = hash32(prompt, variant * 3 + place);
    // Steps of three, so that the sentences of one answer differ.
    const sentence = SENTENCES[((hash32(prompt, variant) % SENTENCES.length) + place * 3) % SENTENCES.length] ?? '';
    return sentence.replace('TOPIC', topics[hash % topics.length] ?? 'the matter');
  });
  return `Simulated answer to: "${gistOf(prompt)}". ${sentences.join(' ')}`;
}

function jsonAnswer(prompt: string, variant: number): string {
  const hash = hash32(prompt, variant);
  return JSON.stringify({
    answer: `Simulated answer to: ${gistOf(prompt)}`,
    topics: topicsOf(prompt).slice(0, 3),
    confidence: Math.round(50 + (hash % 50)) / 100,
  });
}

/** The first twelve words. */
function gistOf(prompt: string): string {
  const words = prompt.split(/\s+/).filter((word) => word !== '');
  return words.slice(0, 12).join(' ') + (words.length > 12 ? ' …' : '');
}

/** Up to six longer words of the prompt. */
function topicsOf(prompt: string): string[] {
  const words = prompt.slice(0, 10_000).match(/\p{L}{5,}/gu) ?? [];
  const distinct = [...new Set(words.map((word) => word.toLowerCase()))].slice(0, 6);
  return distinct.length > 0 ? distinct : ['the matter'];
}
