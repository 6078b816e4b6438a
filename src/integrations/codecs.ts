import type { Codec, Family } from './codec.ts';
import { command } from './cohere/command.ts';
import { commandR } from './cohere/command-r.ts';
import { embedV3 } from './cohere/embed-v3.ts';
import { embedV4 } from './cohere/embed-v4.ts';
import { rerank } from './cohere/rerank.ts';
import { converse } from './converse/converse.ts';

/** A new family is a new file and one line here. */
const CODECS: Readonly<Record<Family, Codec>> = {
  command,
  'command-r': commandR,
  'embed-v3': embedV3,
  'embed-v4': embedV4,
  rerank,
  converse,
};

export function codecFor(family: Family): Codec {
  return CODECS[family];
}
