/** Finds the name that a misspelled one was meant to be. */
import { editDistance } from '../shared/edit-distance.ts'

export const meantName = (name: string, known: readonly string[]): string | undefined =>
  known.find((candidate) => isNearly(name, candidate))

/** One slip in a short name, two in a long one; case and separators do not count. */
const isNearly = (name: string, candidate: string): boolean =>
  editDistance(bare(name), bare(candidate)) <= (candidate.length < 8 ? 1 : 2)

const bare = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '')
