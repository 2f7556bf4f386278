"""follow.py URL ROOT: follows the repository at URL from ROOT with python-tuf, and says where it led."""

import json
import sys
import tempfile

from tuf.ngclient import Updater

url, root = sys.argv[1:]
with open(root, "rb") as file:
    pinned = file.read()
folder = tempfile.mkdtemp()
updater = Updater(folder, f"{url}/", folder, f"{url}/targets/", bootstrap=pinned)
updater.refresh()
path = updater.download_target(updater.get_targetinfo("trusted_root.json"))
with open(f"{folder}/root.json", encoding="utf-8") as file:
    version = json.load(file)["signed"]["version"]
with open(path, encoding="utf-8") as file:
    print(json.dumps({"root": version, "target": file.read()}))
