declare module "avsc/lib/utils.js" {
  const utils: {
    /** avsc's reading position, which its types take. */
    readonly Tap: new (
      buf: Buffer,
      pos: number,
    ) => { buf: Buffer; pos: number };
  };
  export default utils;
}
