import { randomBytes, randomUUID, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** What an application proves itself with. The secret is shown once, when it is made, and only its hash is kept. */
export interface NewAccessKey {
  /** A random UUID. */
  readonly id: string;
  /** 32 random bytes in base64url. */
  readonly secret: string;
}

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/**
 * 16 MiB and 50 to 100 ms of one core. More would protect secrets that people think of; these have 256 random bits, and
 * whoever asks for a token waits for it.
 */
const COST = { N: 2 ** 14, r: 8, p: 1 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What a hash may ask for at most: whoever can write Redis must not be able to take all memory with it. */
const COST_AT_MOST = { N: 2 ** 17, r: 16, p: 4 } as const;

const FORM = /^scrypt:v1:(\d{1,7}):(\d{1,2}):(\d):([\w-]{22}):([\w-]{43})$/;

/** Nobody's: what is compared where there is no hash, so that it costs as much. */
const NOBODYS = `scrypt:v1:${COST.N}:${COST.r}:${COST.p}:${'A'.repeat(22)}:${'A'.repeat(43)}`;

export function newAccessKey(): NewAccessKey {
  return { id: randomUUID(), secret: randomBytes(32).toString('base64url') };
}

/** `scrypt:v1:N:r:p:salt:hash`, the last two in base64url: its cost stands in it, so that another later one breaks no key. */
export async function hashSecret(secret: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(secret, salt, HASH_BYTES, { ...COST, maxmem: memoryOf(COST) });
  return `scrypt:v1:${COST.N}:${COST.r}:${COST.p}:${salt.toString('base64url')}:${hash.toString('base64url')}`;
}

/**
 * Whether a hash is of this secret, compared in constant time. Undefined (no such key), or a hash that cannot be read, is
 * never right and takes as long.
 */
export async function verifySecret(secret: string, hash: string | undefined): Promise<boolean> {
  const kept = hash === undefined ? undefined : readHash(hash);
  const compared = kept ?? readHash(NOBODYS);
  if (compared === undefined) return false;
  const { cost, salt, bytes } = compared;
  const derived = await derive(secret, salt, HASH_BYTES, { ...cost, maxmem: memoryOf(cost) });
  return timingSafeEqual(derived, bytes) && kept !== undefined;
}

interface Cost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

function readHash(text: string): { cost: Cost; salt: Buffer; bytes: Buffer } | undefined {
  const [, N = '', r = '', p = '', salt = '', hash = ''] = FORM.exec(text) ?? [];
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  const isPowerOfTwo = cost.N > 1 && Number.isInteger(Math.log2(cost.N));
  const isBounded = cost.N <= COST_AT_MOST.N && cost.r <= COST_AT_MOST.r && cost.p <= COST_AT_MOST.p;
  if (!isPowerOfTwo || !isBounded || cost.r < 1 || cost.p < 1) return undefined;
  return { cost, salt: Buffer.from(salt, 'base64url'), bytes: Buffer.from(hash, 'base64url') };
}

/** Twice what scrypt needs by its definition (128·N·r), for OpenSSL's own share. */
function memoryOf({ N, r, p }: Cost): number {
  return 256 * N * r + 256 * r * p;
}
