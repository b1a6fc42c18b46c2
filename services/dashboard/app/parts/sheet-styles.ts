// xterm writes its styles into <style> elements, which the page's policy refuses. It takes the document that it makes elements
// with as an option: of this one, style elements hand what is written into them to constructed sheets, which are allowed.

export function documentForTerminal(): Document {
  return new Proxy(document, {
    get(target, name) {
      if (name === 'createElement') return (tag: string) => (tag === 'style' ? styleElement() : target.createElement(tag))
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function styleElement(): HTMLElement {
  const element = document.createElement('span')
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
