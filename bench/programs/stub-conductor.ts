/** The stub in a process of its own: `node bench/programs/stub-conductor.ts PORT`. */
import { startStubConductor } from '../stub/stub-conductor.ts';

const stub = await startStubConductor({ port: Number(process.argv[2]) });
process.stdout.write(`${JSON.stringify({ url: stub.url })}\n`);
