/** Made when it is first asked for, and then kept; what fails is tried again. */
export const lazily = <Made>(make: () => Made): (() => Made) => {
  let made: { readonly value: Made } | undefined
  return () => (made ??= { value: make() }).value
}
