/** A template tag for HTML. It escapes inserted values, except values that are HTML. */

export class Html {
  readonly markup: string
  constructor(markup: string) {
    this.markup = markup
  }
}

type Content = string | number | Html | readonly Html[] | null | undefined | false

export const html = (literals: TemplateStringsArray, ...contents: readonly Content[]): Html =>
  new Html(
    literals.map((literal, index) => literal + (index < contents.length ? render(contents[index]) : '')).join(''),
  )

function render(content: Content): string {
  if (content === null || content === undefined || content === false) return ''
  if (content instanceof Html) return content.markup
  if (Array.isArray(content)) return content.map(render).join('')
  return String(content).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
