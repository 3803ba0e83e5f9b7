/** The confirmation of a command that changes something. */
import { createInterface } from 'node:readline/promises'
import { UsageError } from './usage.ts'

/**
 * Asks on the terminal for confirmation: the answer must be `wanted`.
 *
 * @throws UsageError without a terminal, naming the option that confirms
 */
export async function isConfirmed(question: string, wanted: string, option: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UsageError(`There is no terminal for the confirmation: ${option} continues without confirmation.`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = (await terminal.question(question).catch(no)).trim().toLowerCase()
    return answer === wanted || (wanted === 'y' && answer === 'yes')
  } finally {
    terminal.close()
  }
}

/** Ctrl-C and Ctrl-D at the question. */
const no = (): string => ''
