// Daily's own library, under a name that this page alone knows: see vite.config.mts.
declare module 'real-daily-js' {
  const Daily: { createCallObject(options?: object): object };
  export default Daily;
}
