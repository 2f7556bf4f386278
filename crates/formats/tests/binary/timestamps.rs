use signet_formats::timestamp::TimestampToken;
use crate::vectors::{self, Case};
#[test]
fn explore() {
    let Some(folder) = vectors::folder() else { return };
    for case in Case::all(&folder) {
        for ts in case.timestamps() {
            let t = TimestampToken::from_response(&ts);
            let t = match t { Ok(t)=>t, Err(e)=>{println!("{} {e:?}", case.name); continue} };
            let leaf = case.chains("timestampAuthorities").iter().map(|c| t.verify(&c[0])).collect::<Vec<_>>();
            println!("{} {:?} {:?} emb {}", case.name, leaf, case.signature().map(|s| t.info().verify_imprint(&s)), t.certificates().len());
        }
    }
    for path in vectors::files(&folder.join("notary")) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let data = vectors::read(&path);
        let t = if name.ends_with(".p7s") { TimestampToken::from_token(&data) } else if name.ends_with(".tsr") || name.ends_with(".tsq") {TimestampToken::from_response(&data)} else {continue};
        match t { Ok(t) => { let v: Vec<_> = t.signed_data().signer_certificates().map(|c| t.verify(c)).collect(); println!("{} OK {:?} {:?} {:?}", path.strip_prefix(&folder).unwrap().display(), v, t.info().seconds, t.info().accuracy) }
          Err(e) => println!("{} {e:?}", path.strip_prefix(&folder).unwrap().display()) }
    }
}
