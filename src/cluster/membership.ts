import { randomBytes } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import { messageOf } from '../errors.ts';
import type { LedgerKeys } from '../redis/keys.ts';
import { BEAT, DECLARE_DEAD, LEAVE } from './ledger-scripts.ts';

/** In milliseconds. What a stopped process notices by itself, a clock that counts through its stop must say. */
export interface Clock {
  monotonic(): number;
  wall(): number;
}

export const SYSTEM_CLOCK: Clock = { monotonic: () => performance.now(), wall: () => Date.now() };

/** An incarnation that is not heard counts itself out before others take over what it holds. */
export const ALIVE_FOR_MS = 8_000;
export const DEAD_AFTER_MS = 10_000;
/** Who has not looked for longer can't tell whether others were silent or Redis was away from all: it begins anew. */
const LOOK_AT_LEAST_EVERY_MS = 5_000;

export interface MembershipParts {
  readonly redis: Redis | Cluster;
  readonly keys: LedgerKeys;
  /** Stands before the random part of every incarnation. */
  readonly label: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a beat found. */
export interface BeatNews {
  /** Redis may have forgotten what was written: it was away, is another server or was emptied. */
  readonly forgot: boolean;
  /** The name under which we were declared dead. */
  readonly diedAs: string | undefined;
  /** Whose claims are for the taking. */
  readonly dead: readonly string[];
}

export interface Membership {
  readonly incarnation: string;
  readonly alive: boolean;
  /** '' before the first beat of an incarnation. */
  readonly epoch: string;
  /** Workers that live, this one among them, as of the last beat. */
  readonly workers: number;
  /** Says that we live and looks who does not. Rejects when Redis does not answer, or after `leave`. */
  beat(): Promise<BeatNews>;
  leave(): Promise<void>;
}

const beatReply = z.tuple([z.string(), z.union([z.literal(0), z.literal(1)]), z.string(), z.array(z.string())]);

export function createMembership({ redis, keys, label, clock, log }: MembershipParts): Membership {
  let incarnation = newIncarnation(label);
  let epoch = '';
  let run = '';
  let heard: { readonly monotonic: number; readonly wall: number } | undefined;
  let left = false;
  let connectionWasLost = false;
  /** Others, their last score and since when it has not changed, by our own monotonic clock. */
  const others = new Map<string, { score: string; since: number }>();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let workers = 1;

  // A Cluster goes on by itself where one of its nodes is lost, and another takes over from that.
  for (const event of ['close', '-node']) {
    redis.on(event, () => {
      connectionWasLost = true;
    });
  }

  /** Scores of the living change with every beat; one that stood still for long is declared dead, if it still does. */
  async function findDead(members: readonly string[]): Promise<string[]> {
    const dead: string[] = [];
    const present = new Set<string>();
    const now = clock.monotonic();
    if (now - lookedAt > LOOK_AT_LEAST_EVERY_MS) others.clear();
    lookedAt = now;
    for (let at = 0; at + 1 < members.length; at += 2) {
      const [name = '', score = ''] = members.slice(at, at + 2);
      if (name === incarnation) continue;
      present.add(name);
      const known = others.get(name);
      if (Number(score) === 0) dead.push(name);
      else if (known?.score !== score) others.set(name, { score, since: now });
      else if (now - known.since >= DEAD_AFTER_MS && (await declareDead(name, score))) dead.push(name);
    }
    for (const name of others.keys()) if (!present.has(name)) others.delete(name);
    return dead;
  }

  /** Of all who find one dead, one succeeds; one that has been heard meanwhile lives. */
  async function declareDead(name: string, score: string): Promise<boolean> {
    try {
      if ((await DECLARE_DEAD.run(redis, [keys.workers, keys.suspects], [name, score])) !== 1) return false;
      log.warn({ dead: name }, 'A worker is not heard any more: what it holds is taken over');
      return true;
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'A worker is not heard any more, but Redis does not let it be replaced');
      return false;
    }
  }

  return {
    get incarnation() {
      return incarnation;
    },
    get epoch() {
      return epoch;
    },
    get workers() {
      return workers;
    },
    get alive() {
      // What is there now may be another server, which has to be told first that it is.
      if (left || heard === undefined || connectionWasLost || redis.status !== 'ready') return false;
      const since = { monotonic: clock.monotonic() - heard.monotonic, wall: clock.wall() - heard.wall };
      return since.monotonic < ALIVE_FOR_MS && since.wall < ALIVE_FOR_MS;
    },
    async beat() {
      if (left) throw new Error(`${incarnation} has left`);
      const reconnected = connectionWasLost;
      const sent = { monotonic: clock.monotonic(), wall: clock.wall() };
      const reply = beatReply.parse(
        await BEAT.run(redis, [keys.workers, keys.epoch, keys.primary], [incarnation, epoch]),
      );
      const [foundEpoch, isMember, foundRun, members] = reply;
      if (isMember === 0) {
        const diedAs = incarnation;
        incarnation = newIncarnation(label);
        // A newcomer, which no epoch can say is dead.
        [epoch, heard] = ['', undefined];
        log.warn({ diedAs, incarnation }, 'This worker was not heard for long and goes on under a new name');
        return { forgot: false, diedAs, dead: [] };
      }
      const forgot = epoch !== '' && (foundEpoch !== epoch || foundRun !== run || reconnected);
      // Whatever is lost from here on is found by the next beat.
      if (reconnected) connectionWasLost = false;
      [epoch, run, heard] = [foundEpoch, foundRun, sent];
      workers = Math.max(1, members.filter((score, at) => at % 2 === 1 && Number(score) !== 0).length);
      return { forgot, diedAs: undefined, dead: await findDead(members) };
    },
    async leave() {
      left = true;
      await LEAVE.run(redis, [keys.workers, keys.held(incarnation)], [incarnation]).catch((error: unknown) =>
        log.warn({ reason: messageOf(error) }, 'This worker could not leave: it will be missed first'),
      );
    },
  };
}

function newIncarnation(label: string): string {
  return `${label}/${randomBytes(6).toString('hex')}`;
}
