/** Generates the description of stage options: the JSON schema of stage files, and the table of `docs/deploying.md`. */
import { readFileSync } from 'node:fs'
import { optionNames, stageOptions } from '../lib/stage-options.ts'
import { stageFileSchema } from '../lib/stage-values.ts'

/** The generated texts, by file. */
export function stageDocuments(): [URL, string][] {
  const guide = new URL('deploying.md', import.meta.url)
  return [
    [new URL('../stages/stage.schema.json', import.meta.url), `${JSON.stringify(stageFileSchema(), null, 2)}\n`],
    [guide, readFileSync(guide, 'utf8').replace(/<!-- options -->[\s\S]*<!-- \/options -->/, optionsTable)],
  ]
}

function optionsTable(): string {
  const rows = optionNames.map((name) => {
    const { help, example } = stageOptions[name]
    return `| \`${name}\` | ${help} | \`${example}\` |`
  })
  return `<!-- options -->\n| Option | Meaning | Example, after \`-c ${'name'}=\` |\n| --- | --- | --- |\n${rows.join('\n')}\n<!-- /options -->`
}
