declare module "snappyjs" {
  const snappyjs: {
    compress(data: Uint8Array): Uint8Array;
    uncompress(data: Uint8Array): Uint8Array;
  };
  export default snappyjs;
}
