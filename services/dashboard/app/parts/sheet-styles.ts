// xterm writes its styles into <style> elements, which the page's policy refuses. While it opens, those that it makes are
// elements that hand what is written into them to constructed sheets, which are allowed.

export function withSheetStyles(open: () => void): void {
  const create = document.createElement.bind(document) as (tag: string, options?: ElementCreationOptions) => HTMLElement
  const instead = (tag: string, options?: ElementCreationOptions): HTMLElement => (tag === 'style' ? styleElement(create('span')) : create(tag, options))
  Object.defineProperty(document, 'createElement', { value: instead, configurable: true })
  try {
    open()
  } finally {
    // That of the prototype again.
    Reflect.deleteProperty(document, 'createElement')
  }
}

function styleElement(element: HTMLElement): HTMLElement {
  element.hidden = true
  const sheet = new CSSStyleSheet()
  document.adoptedStyleSheets.push(sheet)
  Object.defineProperty(element, 'textContent', { set: (text: string) => sheet.replaceSync(text), get: () => '' })
  const remove = element.remove.bind(element)
  element.remove = () => {
    remove()
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet)
  }
  return element
}
