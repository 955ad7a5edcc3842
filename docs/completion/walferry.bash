# walferry completion for bash; source this file, or put it into the completion directory
_walferry() {
  local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}" option="" command="" word at
  # For bash the = of an option is a word of its own.
  if [[ $current == "=" ]]; then option="$before" current=""
  elif [[ $before == "=" ]]; then option="${COMP_WORDS[COMP_CWORD - 2]}"
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    [[ ${COMP_WORDS[at - 1]} == "=" ]] && continue
    case "${COMP_WORDS[at]}" in
      annotate|archive-command|archive-get|archive-push|backup|check|completion|config-check|demo|drill|expire|help|info|manifest|metrics|pin|rekey|repo-gc|repo-get|repo-ls|repo-put|repo-rm|repo-sync|report|restore|restore-command|stanza-create|stanza-delete|stanza-upgrade|start|stop|unpin|verify|version|push|get) command="${COMP_WORDS[at]}"; break ;;
    esac
  done
  local words="" values=""
  case "$command" in
    "") words="annotate archive-command archive-get archive-push backup check completion config-check demo drill expire help info manifest metrics pin rekey repo-gc repo-get repo-ls repo-put repo-rm repo-sync report restore restore-command stanza-create stanza-delete stanza-upgrade start stop unpin verify version push get --stanza= --config=" ;;
    annotate)
      words="--config= --config-include-path= --config-path= --stanza= --set= --result= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --annotation= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    archive-command)
      words="--apply --config= --config-include-path= --config-path= --stanza= --result= --allow-root --lock-path= --neutral-umask --no-neutral-umask --spool-path= --db-timeout= --pg-version-force= --archive-async --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
      esac
      ;;
    archive-get|get)
      words="--config= --config-include-path= --config-path= --stanza= --result= --repo= --allow-root --archive-timeout= --archive-get-exit= --buffer-size= --cmd= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --process-max= --spool-path= --pg-version-force= --archive-async --archive-get-queue-max= --archive-async-linger= --repo-target-time= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --archive-get-exit) values="strict compat" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    archive-push|push)
      words="--config= --config-include-path= --config-path= --stanza= --result= --repo= --allow-root --archive-timeout= --buffer-size= --cmd= --compress-level= --compress-type= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --process-max= --spool-path= --pg-version-force= --archive-async --archive-async-linger= --archive-header-check --no-archive-header-check --archive-push-queue-max= --archive-push-quorum= --archive-check --no-archive-check --archive-mode-check --no-archive-mode-check --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --compress-type) values="none bz2 gz lz4 zst" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    backup)
      words="--config= --config-include-path= --config-path= --stanza= --force --online --no-online --result= --type= --repo= --allow-root --archive-timeout= --buffer-size= --cmd= --compress-level= --compress-type= --delta --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --process-max= --spool-path= --db-timeout= --pg-version-force= --annotation= --archive-check --no-archive-check --archive-copy --archive-mode-check --no-archive-mode-check --backup-standby= --checksum-page --exclude= --expire-auto --no-expire-auto --manifest-save-threshold= --resume --no-resume --page-header-check --no-page-header-check --start-fast --wal-summary --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-symlink --no-repo1-symlink --repo2-symlink --no-repo2-symlink --repo1-retention-full-type= --repo2-retention-full-type= --repo1-retention-full= --repo2-retention-full= --repo1-retention-diff= --repo2-retention-diff= --repo1-retention-archive= --repo2-retention-archive= --repo1-retention-keep-daily= --repo2-retention-keep-daily= --repo1-retention-keep-weekly= --repo2-retention-keep-weekly= --repo1-retention-keep-monthly= --repo2-retention-keep-monthly= --repo1-retention-keep-yearly= --repo2-retention-keep-yearly= --repo1-retention-archive-type= --repo2-retention-archive-type= --repo1-retention-history= --repo2-retention-history= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-bundle --repo2-bundle --repo1-bundle-limit= --repo2-bundle-limit= --repo1-bundle-size= --repo2-bundle-size= --repo1-hardlink --repo2-hardlink --repo1-block --repo2-block --repo1-block-age-map= --repo2-block-age-map= --repo1-block-checksum-size-map= --repo2-block-checksum-size-map= --repo1-block-size-map= --repo2-block-size-map= --repo1-block-size-super= --repo2-block-size-super= --repo1-block-size-super-full= --repo2-block-size-super-full= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --type) values="full diff incr" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --compress-type) values="none bz2 gz lz4 zst" ;;
        --backup-standby) values="n only prefer y" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-retention-full-type) values="count time" ;;
        --repo2-retention-full-type) values="count time" ;;
        --repo1-retention-archive-type) values="full diff incr" ;;
        --repo2-retention-archive-type) values="full diff incr" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    check)
      words="--config= --config-include-path= --config-path= --stanza= --result= --repo= --allow-root --archive-timeout= --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --spool-path= --db-timeout= --pg-version-force= --archive-async --archive-check --no-archive-check --archive-mode-check --no-archive-mode-check --backup-standby= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --backup-standby) values="n only prefer y" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    completion)
      words="bash zsh fish"
      ;;
    config-check)
      words="annotate archive-command archive-get archive-push backup check completion config-check demo drill expire help info manifest metrics pin rekey repo-gc repo-get repo-ls repo-put repo-rm repo-sync report restore restore-command stanza-create stanza-delete stanza-upgrade start stop unpin verify version --config= --config-include-path= --config-path= --stanza= --output= --result= --repo= --allow-root --archive-timeout= --archive-get-exit= --buffer-size= --cmd= --compress-level= --compress-type= --delta --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --process-max= --spool-path= --db-timeout= --pg-version-force= --archive-async --archive-get-queue-max= --archive-async-linger= --archive-header-check --no-archive-header-check --archive-push-queue-max= --archive-push-quorum= --annotation= --archive-check --no-archive-check --archive-copy --archive-mode-check --no-archive-mode-check --backup-standby= --checksum-page --exclude= --expire-auto --no-expire-auto --manifest-save-threshold= --resume --no-resume --page-header-check --no-page-header-check --start-fast --wal-summary --verify-exit= --archive-mode= --db-exclude= --db-include= --link-all --link-map= --recovery-option= --tablespace-map= --tablespace-map-all= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-symlink --no-repo1-symlink --repo2-symlink --no-repo2-symlink --repo1-retention-full-type= --repo2-retention-full-type= --repo1-retention-full= --repo2-retention-full= --repo1-retention-diff= --repo2-retention-diff= --repo1-retention-archive= --repo2-retention-archive= --repo1-retention-keep-daily= --repo2-retention-keep-daily= --repo1-retention-keep-weekly= --repo2-retention-keep-weekly= --repo1-retention-keep-monthly= --repo2-retention-keep-monthly= --repo1-retention-keep-yearly= --repo2-retention-keep-yearly= --repo1-retention-archive-type= --repo2-retention-archive-type= --repo1-retention-history= --repo2-retention-history= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-bundle --repo2-bundle --repo1-bundle-limit= --repo2-bundle-limit= --repo1-bundle-size= --repo2-bundle-size= --repo1-hardlink --repo2-hardlink --repo1-block --repo2-block --repo1-block-age-map= --repo2-block-age-map= --repo1-block-checksum-size-map= --repo2-block-checksum-size-map= --repo1-block-size-map= --repo2-block-size-map= --repo1-block-size-super= --repo2-block-size-super= --repo1-block-size-super-full= --repo2-block-size-super-full= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --output) values="text json" ;;
        --result) values="none json" ;;
        --archive-get-exit) values="strict compat" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --compress-type) values="none bz2 gz lz4 zst" ;;
        --backup-standby) values="n only prefer y" ;;
        --verify-exit) values="strict compat" ;;
        --archive-mode) values="preserve off" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-retention-full-type) values="count time" ;;
        --repo2-retention-full-type) values="count time" ;;
        --repo1-retention-archive-type) values="full diff incr" ;;
        --repo2-retention-archive-type) values="full diff incr" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    demo)
      words="--keep --pg-bin="
      ;;
    drill)
      words="--config= --config-include-path= --config-path= --stanza= --output= --set= --result= --amcheck --checksums --no-checksums --dump --query= --expect= --query-database= --target= --target-exclusive --target-timeline= --type= --repo= --keep --pg-bin= --drill-option= --drill-path= --allow-root --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --process-max= --spool-path= --db-timeout= --pg-version-force= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --output) values="text json" ;;
        --result) values="none json" ;;
        --type) values="default immediate name time lsn xid" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    expire)
      words="--config= --config-include-path= --config-path= --stanza= --archive-expire-before= --dry-run --plan --oldest --set= --result= --repo= --allow-root --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --spool-path= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-symlink --no-repo1-symlink --repo2-symlink --no-repo2-symlink --repo1-retention-full-type= --repo2-retention-full-type= --repo1-retention-full= --repo2-retention-full= --repo1-retention-diff= --repo2-retention-diff= --repo1-retention-archive= --repo2-retention-archive= --repo1-retention-keep-daily= --repo2-retention-keep-daily= --repo1-retention-keep-weekly= --repo2-retention-keep-weekly= --repo1-retention-keep-monthly= --repo2-retention-keep-monthly= --repo1-retention-keep-yearly= --repo2-retention-keep-yearly= --repo1-retention-archive-type= --repo2-retention-archive-type= --repo1-retention-history= --repo2-retention-history= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-retention-full-type) values="count time" ;;
        --repo2-retention-full-type) values="count time" ;;
        --repo1-retention-archive-type) values="full diff incr" ;;
        --repo2-retention-archive-type) values="full diff incr" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    help)
      words="annotate archive-command archive-get archive-push backup check completion config-check demo drill expire help info manifest metrics pin rekey repo-gc repo-get repo-ls repo-put repo-rm repo-sync report restore restore-command stanza-create stanza-delete stanza-upgrade start stop unpin verify version --help --version"
      ;;
    info)
      words="--config= --config-include-path= --config-path= --stanza= --detail-level= --gaps --timeline --output= --set= --result= --type= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --spool-path= --repo-target-time= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --detail-level) values="full progress" ;;
        --output) values="text json" ;;
        --result) values="none json" ;;
        --type) values="full diff incr" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    manifest)
      words="--config= --config-include-path= --config-path= --stanza= --output= --set= --filter= --reference= --result= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --repo-target-time= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --output) values="text json" ;;
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    metrics)
      words="--config= --config-include-path= --config-path= --stanza= --result= --repo= --listen= --metrics-max-age= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --spool-path= --pg-version-force= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    pin)
      words="--config= --config-include-path= --config-path= --stanza= --reason= --set= --result= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    rekey)
      words="--config= --config-include-path= --config-path= --stanza= --confirm --result= --repo= --allow-root --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    repo-gc)
      words="--config= --config-include-path= --config-path= --stanza= --dry-run --older-than= --result= --repo= --allow-root --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    repo-get)
      words="--config= --config-include-path= --config-path= --stanza= --ignore-missing --raw --result= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --repo-target-time= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    repo-ls)
      words="--config= --config-include-path= --config-path= --stanza= --output= --filter= --recurse --sort= --result= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --repo-target-time= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --output) values="text json" ;;
        --sort) values="none asc desc" ;;
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    repo-put)
      words="--config= --config-include-path= --config-path= --stanza= --raw --result= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    repo-rm)
      words="--config= --config-include-path= --config-path= --stanza= --recurse --result= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    repo-sync)
      words="--config= --config-include-path= --config-path= --stanza= --dry-run --from= --to= --set= --result= --repo= --allow-root --buffer-size= --cmd= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --process-max= --spool-path= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    report)
      words="--config= --config-include-path= --config-path= --stanza= --gaps --result= --html= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --spool-path= --pg-version-force= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    restore)
      words="--config= --config-include-path= --config-path= --stanza= --force --set= --result= --target= --target-action= --target-exclusive --target-timeline= --type= --repo= --allow-root --no-allow-root --buffer-size= --cmd= --delta --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --process-max= --spool-path= --pg-version-force= --archive-mode= --db-exclude= --db-include= --link-all --link-map= --recovery-option= --repo-target-time= --tablespace-map= --tablespace-map-all= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --target-action) values="pause promote shutdown" ;;
        --type) values="default preserve immediate standby none name time lsn xid" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --archive-mode) values="preserve off" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    restore-command)
      words="--apply --config= --config-include-path= --config-path= --stanza= --result= --allow-root --lock-path= --neutral-umask --no-neutral-umask --spool-path= --db-timeout= --pg-version-force= --archive-async --archive-get-queue-max= --archive-async-linger= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
      esac
      ;;
    stanza-create)
      words="--config= --config-include-path= --config-path= --stanza= --force --online --no-online --result= --allow-root --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --db-timeout= --pg-version-force= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    stanza-delete)
      words="--config= --config-include-path= --config-path= --stanza= --force --result= --repo= --allow-root --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --spool-path= --db-timeout= --pg-version-force= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    stanza-upgrade)
      words="--config= --config-include-path= --config-path= --stanza= --online --no-online --result= --allow-root --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --db-timeout= --pg-version-force= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport= --pg1-path= --pg2-path= --pg1-database= --pg2-database= --pg1-port= --pg2-port= --pg1-socket-path= --pg2-socket-path= --pg1-user= --pg2-user= --pg1-host= --pg2-host="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    start)
      words="--config= --config-include-path= --config-path= --stanza= --result= --allow-root --lock-path= --neutral-umask --no-neutral-umask --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp"
      case "$option" in
        --result) values="none json" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
      esac
      ;;
    stop)
      words="--config= --config-include-path= --config-path= --stanza= --force --result= --allow-root --lock-path= --neutral-umask --no-neutral-umask --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp"
      case "$option" in
        --result) values="none json" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
      esac
      ;;
    unpin)
      words="--config= --config-include-path= --config-path= --stanza= --set= --result= --repo= --allow-root --buffer-size= --lock-path= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    verify)
      words="--config= --config-include-path= --config-path= --stanza= --output= --set= --quick --repair --sample= --result= --deep --since-last --verbose --repo= --allow-root --buffer-size= --lock-path= --hook-failure= --hook-success= --hook-timeout= --neutral-umask --no-neutral-umask --io-timeout= --max-rate= --process-max= --verify-exit= --repo-target-time= --log-level-console= --log-level-file= --log-level-stderr= --log-format= --log-path= --log-timestamp --no-log-timestamp --repo1-type= --repo2-type= --repo1-role= --repo2-role= --repo1-path= --repo2-path= --repo1-cipher-type= --repo2-cipher-type= --repo1-cipher-pass-file= --repo2-cipher-pass-file= --repo1-cipher-pass-command= --repo2-cipher-pass-command= --repo1-cipher-pass-credential= --repo2-cipher-pass-credential= --repo1-cipher-pass-previous-file= --repo2-cipher-pass-previous-file= --repo1-symlink --no-repo1-symlink --repo2-symlink --no-repo2-symlink --repo1-retention-full-type= --repo2-retention-full-type= --repo1-retention-full= --repo2-retention-full= --repo1-retention-diff= --repo2-retention-diff= --repo1-retention-archive= --repo2-retention-archive= --repo1-retention-keep-daily= --repo2-retention-keep-daily= --repo1-retention-keep-weekly= --repo2-retention-keep-weekly= --repo1-retention-keep-monthly= --repo2-retention-keep-monthly= --repo1-retention-keep-yearly= --repo2-retention-keep-yearly= --repo1-retention-archive-type= --repo2-retention-archive-type= --repo1-retention-history= --repo2-retention-history= --repo1-max-rate= --repo2-max-rate= --repo1-host= --repo2-host= --repo1-storage-verify-tls --no-repo1-storage-verify-tls --repo2-storage-verify-tls --no-repo2-storage-verify-tls --repo1-storage-ca-file= --repo2-storage-ca-file= --repo1-storage-ca-path= --repo2-storage-ca-path= --repo1-storage-tag= --repo2-storage-tag= --repo1-storage-upload-chunk-size= --repo2-storage-upload-chunk-size= --repo1-storage-host= --repo2-storage-host= --repo1-storage-port= --repo2-storage-port= --repo1-s3-bucket= --repo2-s3-bucket= --repo1-s3-endpoint= --repo2-s3-endpoint= --repo1-s3-region= --repo2-s3-region= --repo1-s3-key-type= --repo2-s3-key-type= --repo1-s3-role= --repo2-s3-role= --repo1-s3-process-cmd= --repo2-s3-process-cmd= --repo1-s3-sts-host= --repo2-s3-sts-host= --repo1-s3-kms-key-id= --repo2-s3-kms-key-id= --repo1-s3-requester-pays --repo2-s3-requester-pays --repo1-s3-service= --repo2-s3-service= --repo1-s3-uri-style= --repo2-s3-uri-style= --repo1-s3-conditional-write --repo2-s3-conditional-write --repo1-azure-container= --repo2-azure-container= --repo1-azure-key-type= --repo2-azure-key-type= --repo1-azure-uri-style= --repo2-azure-uri-style= --repo1-gcs-bucket= --repo2-gcs-bucket= --repo1-gcs-endpoint= --repo2-gcs-endpoint= --repo1-gcs-key-type= --repo2-gcs-key-type= --repo1-gcs-user-project= --repo2-gcs-user-project= --repo1-sftp-host= --repo2-sftp-host= --repo1-sftp-host-port= --repo2-sftp-host-port= --repo1-sftp-host-user= --repo2-sftp-host-user= --repo1-sftp-host-key-check-type= --repo2-sftp-host-key-check-type= --repo1-sftp-host-key-hash-type= --repo2-sftp-host-key-hash-type= --repo1-sftp-host-fingerprint= --repo2-sftp-host-fingerprint= --repo1-sftp-known-host= --repo2-sftp-known-host= --repo1-sftp-private-key-file= --repo2-sftp-private-key-file= --repo1-sftp-transport= --repo2-sftp-transport="
      case "$option" in
        --output) values="none text json" ;;
        --result) values="none json" ;;
        --buffer-size) values="16KiB 32KiB 64KiB 128KiB 256KiB 512KiB 1MiB 2MiB 4MiB 8MiB 16MiB" ;;
        --verify-exit) values="strict compat" ;;
        --log-level-console) values="off error warn info detail debug trace" ;;
        --log-level-file) values="off error warn info detail debug trace" ;;
        --log-level-stderr) values="off error warn info detail debug trace" ;;
        --log-format) values="text json" ;;
        --repo1-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo2-type) values="azure cifs gcs posix s3 sftp" ;;
        --repo1-role) values="all backup wal" ;;
        --repo2-role) values="all backup wal" ;;
        --repo1-cipher-type) values="none aes-256-cbc" ;;
        --repo2-cipher-type) values="none aes-256-cbc" ;;
        --repo1-retention-full-type) values="count time" ;;
        --repo2-retention-full-type) values="count time" ;;
        --repo1-retention-archive-type) values="full diff incr" ;;
        --repo2-retention-archive-type) values="full diff incr" ;;
        --repo1-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo2-s3-key-type) values="shared auto web-id pod-id process" ;;
        --repo1-s3-uri-style) values="host path" ;;
        --repo2-s3-uri-style) values="host path" ;;
        --repo1-azure-key-type) values="shared sas auto" ;;
        --repo2-azure-key-type) values="shared sas auto" ;;
        --repo1-azure-uri-style) values="host path" ;;
        --repo2-azure-uri-style) values="host path" ;;
        --repo1-gcs-key-type) values="service token auto" ;;
        --repo2-gcs-key-type) values="service token auto" ;;
        --repo1-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo2-sftp-host-key-check-type) values="accept-new fingerprint none strict" ;;
        --repo1-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo2-sftp-host-key-hash-type) values="md5 sha1 sha256" ;;
        --repo1-sftp-transport) values="ssh2 ssh" ;;
        --repo2-sftp-transport) values="ssh2 ssh" ;;
      esac
      ;;
    version)
      words="--output="
      case "$option" in
        --output) values="text num" ;;
      esac
      ;;
  esac
  if [[ -n $option ]]; then
    if [[ -n $values ]]; then mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    else mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames
    fi
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [[ ${#COMPREPLY[@]} -eq 0 && $current != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current"); compopt -o filenames
  fi
  if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace; fi
}
complete -F _walferry walferry
