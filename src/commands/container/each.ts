/** The same with several containers at once. */
import {engine} from '../../engine';
import type {Action, Answers} from '../../native';
import {writeOut} from '../../output/write';
import type {CommandContext} from '../definition';
import {isNotFound} from './missing';

/** Threads that wait for containers; each takes little but its stack. */
const mostThreads = 64;

export interface Each<A extends Action> {
  action: (reference: string) => A;
  /** What is printed of one that it worked for; default: its name as typed. */
  text?: (reference: string, answer: Answers[A['verb']]) => string;
  /** What is printed of one that there is not, where that is no error. */
  missing?: string | undefined;
}

/**
 * One that fails is reported and does not keep the others; the worst failure is the answer. Results are printed in the
 * order of the names.
 */
export async function forEach<A extends Action>(
  references: readonly string[],
  each: Each<A>,
  context: Pick<CommandContext, 'report'>,
): Promise<number> {
  const [only] = references;
  if (references.length === 1 && only !== undefined) return conclude(only, each, context, () => act(each.action(only)));
  // Node's pool has four threads, and reads this when it makes them: at the first use, below.
  process.env.UV_THREADPOOL_SIZE = String(Math.min(mostThreads, Math.max(4, references.length)));
  const answers = references.map(reference => settled(engine().actLater(each.action(reference))));
  let worst = 0;
  for (const [index, reference] of references.entries()) {
    const code = await conclude(reference, each, context, async () => (await answers[index])?.() as never);
    worst = Math.max(worst, code);
  }
  return worst;
}

function act<A extends Action>(action: A): Answers[A['verb']] {
  return engine().act(action);
}

/** A failure waits until its turn to be reported has come. */
async function settled<T>(answer: Promise<T>): Promise<() => T> {
  try {
    const value = await answer;
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

async function conclude<A extends Action>(
  reference: string,
  {text = typed => `${typed}\n`, missing}: Each<A>,
  {report}: Pick<CommandContext, 'report'>,
  answer: () => Answers[A['verb']] | Promise<Answers[A['verb']]>,
): Promise<number> {
  try {
    writeOut(text(reference, await answer()));
    return 0;
  } catch (error) {
    if (missing === undefined || !isNotFound(error)) return report(error);
    writeOut(missing);
    return 0;
  }
}
