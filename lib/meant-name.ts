/** Finds the known name nearest to a misspelled one. */
import { editDistance } from '../shared/edit-distance.ts'

export const meantName = (name: string, known: readonly string[]): string | undefined =>
  known.find((candidate) => isNearly(name, candidate))

/** Allows one typo in a short name and two in a long one. Ignores case and separators. */
const isNearly = (name: string, candidate: string): boolean =>
  editDistance(bare(name), bare(candidate)) <= (candidate.length < 8 ? 1 : 2)

const bare = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '')
