echo /home/jane/models "old path"
