/**
 * Prints the tests that did not run, by reason: `node .ci/skipped.mjs <Vitest's JSON report> <log of the other steps>`. Plain
 * JavaScript, for the Node of the machine.
 */
import { readFileSync } from 'node:fs'

const [reportFile, logFile] = process.argv.slice(2)

/** The titles of the tests that Vitest skipped. A title carries its reason: `the reference (SKIPPED: no Chromium here)`. */
function skippedTitles() {
  try {
    const { testResults } = JSON.parse(readFileSync(reportFile, 'utf8'))
    return testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => !['passed', 'failed'].includes(status))
      .map(({ fullName }) => fullName)
  } catch {
    // The run died before its report; its own lines say why.
    return []
  }
}

const reasonOf = (title) => /\(SKIPPED: ([^)]*)\)/.exec(title)?.[1] ?? 'no reason given'

/** The lines in which the other steps say what they left out. */
const leftOut = () => [
  ...new Set(
    readFileSync(logFile, 'utf8')
      .split('\n')
      .filter((line) => /^NOT PROVED|: not run, /.test(line)),
  ),
]

const titles = skippedTitles()
const reasons = new Set(titles.map(reasonOf))
console.log(`== ${titles.length} tests skipped`)
for (const reason of reasons) {
  const group = titles.filter((title) => reasonOf(title) === reason)
  console.log(`${group.length} × ${reason}`)
  for (const title of group) console.log(`    ${title.replace(/ \(SKIPPED: [^)]*\)/, '')}`)
}
for (const line of leftOut()) console.log(line)
